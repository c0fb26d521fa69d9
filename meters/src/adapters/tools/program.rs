//! Programs that adapters need: where they are, which version, and what installs them.

use crate::meter::MeterError;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of a package.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the file.
    pub name: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

impl Program {
    /// The path, where it is installed: on the search path, or where administrators' programs are, which ordinary
    /// users do not have on theirs.
    pub fn find(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
            .map(|folder| folder.join(self.name))
            .find(|file| file.is_file())
    }

    /// The path, or what installs it.
    ///
    /// # Errors
    /// [`MeterError::Unavailable`].
    pub fn require(&self, meter: &str) -> Result<PathBuf, MeterError> {
        self.find().ok_or_else(|| MeterError::Unavailable {
            meter: meter.into(),
            reason: format!("there is no program {}", self.name),
            cure: format!("sudo apt-get install {}", self.package),
        })
    }

    /// A command of it.
    ///
    /// # Errors
    /// As [`Program::require`].
    pub fn command(&self, meter: &str) -> Result<Command, MeterError> {
        self.require(meter).map(Command::new)
    }

    /// What it prints with these arguments on both outputs; empty where it can't be run.
    pub fn says(&self, arguments: &[&str]) -> String {
        let Some(path) = self.find() else { return String::new() };
        let answer = Command::new(path).args(arguments).stdin(Stdio::null()).output();
        answer.map_or_else(
            |_| String::new(),
            |a| String::from_utf8_lossy(&[a.stdout, a.stderr].concat()).into_owned(),
        )
    }
}

/// The version of the first program, where all are installed.
///
/// # Errors
/// [`MeterError::Unavailable`] with the first that is missing.
pub fn version(meter: &str, programs: &[Program], arguments: &[&str]) -> Result<String, MeterError> {
    for program in programs {
        program.require(meter)?;
    }
    let text = programs.first().map(|p| p.says(arguments)).unwrap_or_default();
    Ok(number(&text).unwrap_or("of unknown version").to_string())
}

/// The first number with a dot in it: `1.8.9` in `iptables v1.8.9 (nf_tables)`.
pub fn number(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|chunk| chunk.trim_matches('.'))
        .find(|chunk| chunk.contains('.'))
}

/// Writes a file that a meter loads.
///
/// # Errors
/// Those of writing.
pub fn write(path: &Path, text: &str) -> Result<(), MeterError> {
    std::fs::write(path, text)
        .map_err(|source| MeterError::Io { what: format!("write {}", path.display()), source })
}

/// Reads a file that a meter wrote.
///
/// # Errors
/// Those of reading.
pub fn read(path: &Path) -> Result<String, MeterError> {
    std::fs::read_to_string(path)
        .map_err(|source| MeterError::Io { what: format!("read {}", path.display()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("softflowd version 1.1.0. Valid", "1.1.0"),
            ("nftables v1.0.6 (Lester Gooch #5)", "1.0.6"),
            ("tc utility, iproute2-6.1.0, libbpf 1.1.0", "6.1.0"),
            ("Promiscuous Mode Accounting Daemon, pmacctd 1.7.7-git (20211107-0)", "1.7.7"),
        ] {
            assert_eq!(number(text), Some(version));
        }
        assert_eq!(number("none here."), None);
    }

    #[test]
    fn what_is_missing_is_told_with_what_installs_it() {
        let none = Program { name: "no-such-program-of-csnbench", package: "some-package" };
        let e = version("x", &[none], &[]).unwrap_err().to_string();
        assert!(e.contains("no-such-program") && e.contains("apt-get install some-package"), "{e}");
    }
}
