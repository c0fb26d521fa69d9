//! Scenario files from disk, with what they include.

use super::exit::Exit;
use super::render::{self, Style};
use csn::{Loader, Outcome};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads included files; paths are relative to the including file.
pub struct Files;

impl Loader for Files {
    fn load(&mut self, including: &str, path: &str) -> Result<(String, String), String> {
        let base = Path::new(including).parent().unwrap_or(Path::new(""));
        let full: PathBuf = base.join(path);
        match std::fs::read_to_string(&full) {
            Ok(text) => Ok((full.display().to_string(), text)),
            Err(e) => Err(format!("{}: {e}", full.display())),
        }
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read(path: &Path) -> Result<String, Exit> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|e| {
        eprintln!("csnbench: cannot read {}: {e}", path.display());
        if e.kind() == std::io::ErrorKind::InvalidData { Exit::Input } else { Exit::Failed }
    })
}

/// Compiles a scenario file without saying anything about it.
pub fn compile(path: &Path) -> Result<Outcome, Exit> {
    Ok(csn::compile(&path.display().to_string(), &read(path)?, &mut Files))
}

/// Compiles a scenario file that a verb is about to use: everything found is shown, and errors end the verb.
pub fn scenario(path: &Path) -> Result<Outcome, Exit> {
    let outcome = compile(path)?;
    render::show(&outcome.sources, &outcome.diagnostics, Style::Text);
    if outcome.has_errors() {
        return Err(Exit::Input);
    }
    Ok(outcome)
}

/// As [`scenario`], for verbs that execute it: what this version understands but cannot do is an error too.
pub fn executable(path: &Path) -> Result<Outcome, Exit> {
    let outcome = scenario(path)?;
    if outcome.unexecuted.is_empty() {
        return Ok(outcome);
    }
    render::show(&outcome.sources, &outcome.unexecuted, Style::Text);
    Err(Exit::Input)
}

/// A setting of the `run` statement given on the command line, read by the notation itself so that units are the
/// same everywhere.
pub fn setting(name: &str, text: &str) -> Result<csn::RunSpec, Exit> {
    let source = format!("run: {name} = {text};");
    let outcome = csn::compile(&format!("--{name}"), &source, &mut csn::NoLoader);
    render::show(&outcome.sources, &outcome.diagnostics, Style::Text);
    if outcome.has_errors() { Err(Exit::Usage) } else { Ok(outcome.scenario.experiment.run) }
}

/// A span of time given on the command line: `5 s`.
pub fn time(text: &str) -> Result<csn::Nanos, Exit> {
    setting("time", text).map(|run| run.time)
}
