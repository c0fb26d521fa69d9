//! Runs over time, in one file: an SQLite database that holds the records themselves, so that later versions can ask
//! other questions of old runs, with what is needed to find them again beside it.

use reports::store::{StoreError, Stored};
use reports::summary::Summary;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::{Path, PathBuf};

/// The version of the tables. It rises when older programs could not read them.
const VERSION: i64 = 1;

/// The tables. A run is told by its records' hash, so that adding it twice does no harm.
const TABLES: &str = "
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        time REAL NOT NULL,
        title TEXT NOT NULL,
        label TEXT NOT NULL,
        rules_hash TEXT NOT NULL,
        traffic_hash TEXT NOT NULL,
        host TEXT NOT NULL,
        tool TEXT NOT NULL,
        verdict TEXT NOT NULL,
        records TEXT NOT NULL
    ) STRICT;
    CREATE INDEX run_by_title ON run (title, time);
";

/// The history of many runs.
pub struct History {
    connection: Connection,
    path: PathBuf,
}

/// A run in the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Number in the history.
    pub id: i64,
    /// Seconds since 1970 at the start.
    pub time: f64,
    /// Title of the scenario.
    pub title: String,
    /// What the user calls this state: a commit, a version.
    pub label: String,
    /// The machine, in short.
    pub host: String,
    /// Version of csnbench.
    pub tool: String,
    /// What the run came to.
    pub verdict: String,
}

/// What can go wrong with a history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no such file.
    #[error("there is no history {0}\n  cure: `csnbench history {0} add DIR` begins one")]
    Missing(PathBuf),
    /// The file is of a later version.
    #[error(
        "{path} is a history of version {version}, this program knows {VERSION}\n  cure: use a newer csnbench"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// SQLite refused something.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// Records that are no run.
    #[error("{what}: {source}")]
    Records {
        /// Where they are.
        what: String,
        /// What is wrong with them.
        source: StoreError,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}\n  cure: name a folder that `csnbench run` has written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl History {
    /// Opens a history; `create` makes one where there is none.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open(path: &Path, create: bool) -> Result<Self, HistoryError> {
        if !create && !path.exists() {
            return Err(HistoryError::Missing(path.into()));
        }
        let failed = |source| HistoryError::Sqlite { path: path.into(), source };
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        // two jobs may add at once
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
        match version {
            VERSION => {}
            0 if create => {
                let begin = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;");
                connection.execute_batch(&begin).map_err(failed)?;
            }
            0 => return Err(HistoryError::Missing(path.into())),
            version => return Err(HistoryError::Newer { path: path.into(), version }),
        }
        Ok(Self { connection, path: path.into() })
    }

    /// Adds the run of a folder; answers its number, and whether it is new.
    ///
    /// # Errors
    /// A folder without a run, a database that can't be written.
    pub fn add(&mut self, folder: &Path, label: &str) -> Result<(i64, bool), HistoryError> {
        let file = folder.join("records.jsonl");
        let text = std::fs::read_to_string(&file)
            .map_err(|source| HistoryError::Io { path: file.clone(), source })?;
        let stored = Stored::read(text.as_bytes())
            .map_err(|source| HistoryError::Records { what: file.display().to_string(), source })?;
        let summary = Summary::of(&stored);
        let hash = hash(&text);
        let known: Option<i64> = self
            .connection
            .query_row("SELECT id FROM run WHERE hash = ?1", [&hash], |r| r.get(0))
            .optional()
            .map_err(|e| self.failed(e))?;
        if let Some(id) = known {
            return Ok((id, false));
        }
        let run = &stored.run;
        self.connection
            .execute(
                "INSERT INTO run (hash, time, title, label, rules_hash, traffic_hash, host, tool, verdict, records)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    hash,
                    run.time,
                    summary.title(),
                    label,
                    run.rules_hash,
                    run.traffic_hash,
                    host(&stored),
                    run.tool,
                    summary.verdict.word(),
                    text
                ],
            )
            .map_err(|e| self.failed(e))?;
        Ok((self.connection.last_insert_rowid(), true))
    }

    /// The runs, oldest first; those of one title where one is given.
    ///
    /// # Errors
    /// A database that can't be read.
    pub fn entries(&self, title: Option<&str>) -> Result<Vec<Entry>, HistoryError> {
        let mut query = self
            .connection
            .prepare(
                "SELECT id, time, title, label, host, tool, verdict FROM run
                 WHERE ?1 IS NULL OR title = ?1 ORDER BY time, id",
            )
            .map_err(|e| self.failed(e))?;
        let rows = query.query_map([title], |r| {
            Ok(Entry {
                id: r.get(0)?,
                time: r.get(1)?,
                title: r.get(2)?,
                label: r.get(3)?,
                host: r.get(4)?,
                tool: r.get(5)?,
                verdict: r.get(6)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(|e| self.failed(e))
    }

    /// The records of a run.
    ///
    /// # Errors
    /// A run that is not there, records that are none.
    pub fn stored(&self, id: i64) -> Result<Stored, HistoryError> {
        let text: String = self
            .connection
            .query_row("SELECT records FROM run WHERE id = ?1", [id], |r| r.get(0))
            .map_err(|e| self.failed(e))?;
        let what = format!("run {id} of {}", self.path.display());
        Stored::read(text.as_bytes()).map_err(|source| HistoryError::Records { what, source })
    }

    fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Sqlite { path: self.path.clone(), source }
    }
}

/// The machine of a run, in short: what must be the same for numbers to be compared.
fn host(stored: &Stored) -> String {
    let host = &stored.run.host;
    format!("{} x {}", host.cpus, host.cpu)
}

/// FNV-1a with 64 bits and the length: tells the files of runs apart.
fn hash(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}-{}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = include_str!("../../../reports/testdata/v1-number-of-rules.jsonl");

    #[test]
    fn runs_are_kept_once_and_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let (db, run) = (dir.path().join("history.db"), dir.path().join("run"));
        std::fs::create_dir(&run).unwrap();
        std::fs::write(run.join("records.jsonl"), RUN).unwrap();
        assert!(matches!(History::open(&db, false), Err(HistoryError::Missing(_))));
        let mut history = History::open(&db, true).unwrap();
        assert_eq!(history.add(&run, "v1").unwrap(), (1, true));
        assert_eq!(history.add(&run, "again").unwrap(), (1, false));
        drop(history);
        let history = History::open(&db, false).unwrap();
        let entries = history.entries(None).unwrap();
        assert_eq!((entries.len(), entries[0].label.as_str()), (1, "v1"));
        assert_eq!(history.stored(1).unwrap(), Stored::read(RUN.as_bytes()).unwrap());
        assert!(history.entries(Some("another")).unwrap().is_empty());
    }

    #[test]
    fn files_that_are_no_history_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.db");
        std::fs::write(&text, "this is no database, it is a text of some length").unwrap();
        let error = History::open(&text, true).err().unwrap().to_string();
        assert!(error.contains("text.db") && error.contains("not a database"), "{error}");
        let newer = dir.path().join("newer.db");
        drop(History::open(&newer, true).unwrap());
        Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(matches!(History::open(&newer, false), Err(HistoryError::Newer { version: 99, .. })));
        let mut history = History::open(&dir.path().join("h.db"), true).unwrap();
        assert!(matches!(history.add(dir.path(), ""), Err(HistoryError::Io { .. })));
    }
}
