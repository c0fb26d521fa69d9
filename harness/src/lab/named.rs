//! Names for the namespaces of a lab that root makes, so that `ip netns exec` and other tools find them; and the
//! removal of what a killed run left behind.
//!
//! A name is `csnbench-PID-START-gen` or `-meter`: process number and start time of the run that it belongs to.
//! Together they can't be taken for another process that later got the same number.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the tools of iproute2 look.
const FOLDER: &str = "/run/netns";
const PREFIX: &str = "csnbench-";

/// Start time of a process in clock ticks since the machine started.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in parentheses may hold anything: fields are counted behind its end; the 22nd is wanted
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The two names of a run: generator's and meter's.
pub fn names(pid: u32, start: u64) -> [String; 2] {
    ["gen", "meter"].map(|side| format!("{PREFIX}{pid}-{start}-{side}"))
}

/// A name that holds a network namespace. Dropping it removes the name.
pub struct Name {
    path: PathBuf,
}

impl Name {
    /// Gives the calling thread's network namespace a name.
    ///
    /// # Errors
    /// No folder for names, or no right to mount there.
    pub fn give(name: &str) -> io::Result<Self> {
        fs::create_dir_all(FOLDER)?;
        let path = Path::new(FOLDER).join(name);
        fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        let named = Self { path };
        mount(Some("/proc/self/ns/net"), &named.path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(named)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the names of a run, where they are left.
pub fn remove_names(names: &[String; 2]) {
    names.iter().for_each(|name| remove(&Path::new(FOLDER).join(name)));
}

/// Removes a name. What was not mounted, or is gone already, is as good.
fn remove(path: &Path) {
    let _ = umount2(path, MntFlags::MNT_DETACH);
    let _ = fs::remove_file(path);
}

/// Removes the names of runs that are no more, and says which.
pub fn remove_stale() -> Vec<String> {
    let Ok(folder) = fs::read_dir(FOLDER) else {
        return vec![];
    };
    let mut removed = vec![];
    for entry in folder.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if owner(&name).is_some_and(|(pid, start)| start_time(pid) != Some(start)) {
            remove(&entry.path());
            if !entry.path().exists() {
                removed.push(name);
            }
        }
    }
    removed.sort();
    removed
}

/// The run that a name belongs to.
fn owner(name: &str) -> Option<(u32, u64)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let owner = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    matches!(parts.next(), Some("gen" | "meter")).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_run() {
        let me = std::process::id();
        let start = start_time(me).unwrap();
        for name in names(me, start) {
            assert_eq!(owner(&name), Some((me, start)), "{name}");
        }
        for foreign in ["csnbench-x-1-gen", "csnbench-1-1-other", "csnbench-1", "lab-1-1-gen"] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }
}
