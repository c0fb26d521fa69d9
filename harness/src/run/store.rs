//! The folder of a run: `records.jsonl`, to which lines are only ever added, and what meters loaded.

use super::RunError;
use reports::record::{Record, Run, Search, Trial};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Name of the records in a run's folder.
pub const RECORDS: &str = "records.jsonl";

/// The records of a run, open for adding to them. No other process can have them open so.
pub struct Store {
    folder: PathBuf,
    file: File,
}

/// What a run has recorded so far.
#[derive(Debug, Default)]
pub struct Past {
    /// The head; none where not even that was written.
    pub head: Option<Box<Run>>,
    /// The trials.
    pub trials: Vec<Trial>,
    /// The searches that had come to their end.
    pub searches: Vec<Search>,
    /// Whether the run had come to its end.
    pub ended: bool,
    /// Bytes of a last line that was not written to its end, and was dropped.
    pub dropped: usize,
}

impl Store {
    /// Opens the folder for a new run.
    ///
    /// # Errors
    /// [`RunError::Exists`] where records are already there.
    pub fn create(folder: &Path) -> Result<Self, RunError> {
        if fs::metadata(folder.join(RECORDS)).is_ok_and(|m| m.len() > 0) {
            return Err(RunError::Exists { folder: folder.into() });
        }
        Self::open(folder)
    }

    /// Opens the folder of a run that was interrupted, and reads what it has. A last line that was not written to
    /// its end is dropped.
    ///
    /// # Errors
    /// [`RunError::Records`] where a line but the last can't be read: then this is no file to add to.
    pub fn resume(folder: &Path) -> Result<(Self, Past), RunError> {
        let mut store = Self::open(folder)?;
        let mut bytes = vec![];
        store.file.read_to_end(&mut bytes).map_err(|e| store.failed("read", e))?;
        let (past, sound) =
            parse(&bytes).map_err(|(line, reason)| RunError::Records { path: store.path(), line, reason })?;
        if past.dropped > 0 {
            store.file.set_len(sound as u64).map_err(|e| store.failed("shorten", e))?;
        }
        store.file.seek(SeekFrom::End(0)).map_err(|e| store.failed("read", e))?;
        Ok((store, past))
    }

    /// Opens the file and locks it.
    fn open(folder: &Path) -> Result<Self, RunError> {
        let io = |what: &'static str, path: &Path, source| RunError::Io { what, path: path.into(), source };
        fs::create_dir_all(folder).map_err(|e| io("make", folder, e))?;
        let path = folder.join(RECORDS);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|e| io("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { folder: folder.into(), file }),
            Err(fs::TryLockError::WouldBlock) => Err(RunError::Busy { folder: folder.into() }),
            Err(fs::TryLockError::Error(e)) => Err(io("lock", &path, e)),
        }
    }

    /// Adds one record, and returns when it is on disk.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        let mut line = serde_json::to_vec(record).map_err(|e| self.failed("write", e.into()))?;
        line.push(b'\n');
        // one call, so that a line is cut short at most by the end of the machine
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|e| self.failed("write", e))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the records are.
    pub fn path(&self) -> PathBuf {
        self.folder.join(RECORDS)
    }

    /// An empty folder for what the meter of one trial loads and writes.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn scratch(&self) -> Result<PathBuf, RunError> {
        let scratch = self.folder.join("rules/.trial");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).map_err(|source| RunError::Io {
            what: "make",
            path: scratch.clone(),
            source,
        })?;
        // meters run in the lab with other paths in sight: theirs is absolute
        fs::canonicalize(&scratch).map_err(|source| RunError::Io { what: "find", path: scratch, source })
    }

    /// Keeps what a trial's meter loaded, once per point; drops it else.
    pub fn keep(&self, scratch: &Path, point: &str) {
        let kept = self.folder.join("rules").join(point);
        if kept.exists() || fs::rename(scratch, &kept).is_err() {
            let _ = fs::remove_dir_all(scratch);
        }
        // an empty folder says nothing
        let _ = fs::remove_dir(&kept);
    }

    /// An error at the records.
    fn failed(&self, what: &'static str, source: io::Error) -> RunError {
        RunError::Io { what, path: self.path(), source }
    }
}

/// Reads records, and gives how many bytes of them are sound. Only the last line may be broken.
fn parse(bytes: &[u8]) -> Result<(Past, usize), (usize, String)> {
    let mut past = Past::default();
    let mut sound = 0;
    for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let last = sound + line.len() == bytes.len();
        let record = match serde_json::from_slice::<Record>(line) {
            // a line can be whole but for its end: then the next one would be added to it
            Ok(record) if line.ends_with(b"\n") => record,
            Err(e) if !last => return Err((number + 1, e.to_string())),
            _ => {
                past.dropped = line.len();
                break;
            }
        };
        sound += line.len();
        past.ended = matches!(record, Record::End { .. });
        match record {
            Record::Run(head) if past.head.is_none() => past.head = Some(head),
            Record::Run(_) => return Err((number + 1, "a second run begins here".into())),
            Record::Trial(trial) => past.trials.push(*trial),
            Record::Search(search) => past.searches.push(*search),
            Record::Resume { .. } | Record::End { .. } => {}
        }
    }
    if past.head.is_none() && sound > 0 {
        return Err((1, "the head of a run is missing".into()));
    }
    Ok((past, sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Record {
        Record::Run(Box::new(Run { title: "t".into(), ..Run::default() }))
    }

    fn trial(index: u32) -> Record {
        Record::Trial(Box::new(Trial { index, ..Trial::default() }))
    }

    #[test]
    fn a_cut_last_line_is_dropped_wherever_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path()).unwrap();
        store.append(&head()).unwrap();
        store.append(&trial(0)).unwrap();
        let two = fs::read(store.path()).unwrap();
        store.append(&trial(1)).unwrap();
        let three = fs::read(store.path()).unwrap();
        drop(store);
        for cut in two.len()..three.len() {
            fs::write(dir.path().join(RECORDS), &three[..cut]).unwrap();
            let (mut store, past) = Store::resume(dir.path()).unwrap();
            assert_eq!((past.trials.len(), past.dropped), (1, cut - two.len()));
            // what is added stands on a line of its own
            store.append(&trial(1)).unwrap();
            assert_eq!(fs::read(store.path()).unwrap(), three);
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path()).unwrap();
        store.append(&head()).unwrap();
        store.file.write_all(b"{\"record\":\n").unwrap();
        store.append(&trial(0)).unwrap();
        drop(store);
        assert!(matches!(Store::resume(dir.path()), Err(RunError::Records { line: 2, .. })));
    }

    #[test]
    fn a_run_is_neither_overwritten_nor_written_by_two() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path()).unwrap();
        assert!(matches!(Store::resume(dir.path()), Err(RunError::Busy { .. })));
        store.append(&head()).unwrap();
        drop(store);
        assert!(matches!(Store::create(dir.path()), Err(RunError::Exists { .. })));
    }

    #[test]
    fn artefacts_are_kept_once_per_point() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path()).unwrap();
        for text in ["first", "second"] {
            let scratch = store.scratch().unwrap();
            fs::write(scratch.join("rules.txt"), text).unwrap();
            store.keep(&scratch, "00-rtfm");
        }
        let kept = fs::read_to_string(dir.path().join("rules/00-rtfm/rules.txt")).unwrap();
        assert_eq!(kept, "first");
        assert!(!dir.path().join("rules/.trial").exists());
    }
}
