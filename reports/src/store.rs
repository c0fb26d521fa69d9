//! Reading `records.jsonl` back.
//!
//! A run may have been killed at any moment, so the last line may be cut off, and a resumed run may have gone on
//! right behind the cut. What can't be read becomes a warning with its line, never a reason to lose the rest.

use crate::record::{Host, Record, Run, Search, Skip, Trial, VERSION};
use std::collections::BTreeMap;
use std::io::BufRead;

/// How every line of the file begins.
const HEAD: &str = r#"{"record":"#;

/// A run as it was stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The head of the run.
    pub run: Run,
    /// The trials in the order of running.
    pub trials: Vec<Trial>,
    /// The searches in the order of running.
    pub searches: Vec<Search>,
    /// Every time that the run went on after an interruption, with the host as it was then.
    pub resumed: Vec<Resumed>,
    /// How the run ended; none when it was interrupted, or still goes on.
    pub end: Option<Ended>,
    /// What could not be read, and what a reader must know of the file.
    pub warnings: Vec<String>,
}

/// A run that went on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resumed {
    /// Seconds since 1970.
    pub time: f64,
    /// The host as it was then.
    pub host: Host,
}

/// The end of a complete run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// Seconds since 1970.
    pub time: f64,
    /// What was not run, with reason and cure.
    pub skipped: Vec<Skip>,
}

/// Why records can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The reader failed.
    #[error("the records can't be read: {0}")]
    Read(#[from] std::io::Error),
    /// There is no head.
    #[error("the records hold no run: a `records.jsonl` begins with a line `{{\"record\":\"run\", …}}`")]
    NoRun,
    /// One file holds one run.
    #[error("line {0} starts a second run: a file holds one run, so cut it there into two files")]
    SecondRun(usize),
}

impl Stored {
    /// Reads the records of one run, to the end.
    ///
    /// # Errors
    /// When the reader fails, when there is no head of a run, and when a second run follows the first.
    pub fn read(mut records: impl BufRead) -> Result<Self, StoreError> {
        let mut stored = Stored::default();
        let mut seen_run = false;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            // Bytes, not `lines()`: a cut may fall inside a UTF-8 sequence.
            if records.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let whole = line.ends_with(b"\n");
            let text = String::from_utf8_lossy(&line);
            if text.trim().is_empty() {
                continue;
            }
            match parse(text.trim(), number, whole, &mut stored.warnings) {
                Some(Record::Run(_)) if seen_run => return Err(StoreError::SecondRun(number)),
                Some(record) => seen_run |= stored.take(record),
                None => {}
            }
        }
        if !seen_run {
            return Err(StoreError::NoRun);
        }
        Ok(stored)
    }

    /// Adds the trials of another run of the same scenario, each to the point at its own place; points that only the other
    /// run has are left out. What is a run's own (head, end, warnings) stays that of this one.
    pub fn join(&mut self, other: Stored) {
        let places: BTreeMap<_, _> = self.trials.iter().map(|t| (t.at.clone(), t.point)).collect();
        for mut trial in other.trials {
            if let Some(point) = places.get(&trial.at) {
                trial.point = *point;
                trial.index = self.trials.len() as u32;
                self.trials.push(trial);
            }
        }
    }

    /// Adds a record; tells whether it was the head.
    fn take(&mut self, record: Record) -> bool {
        match record {
            Record::Run(run) => {
                if run.version > VERSION {
                    self.warnings.push(format!(
                        "the records have version {}, this program knows {VERSION}: fields whose meaning changed may \
                         be misread; use a newer csnbench",
                        run.version
                    ));
                }
                self.run = *run;
                return true;
            }
            Record::Trial(trial) => self.trials.push(*trial),
            Record::Search(search) => self.searches.push(*search),
            // A run that goes on is not over, whatever an earlier line said.
            Record::Resume { time, host } => {
                self.resumed.push(Resumed { time, host });
                self.end = None;
            }
            Record::End { time, skipped } => self.end = Some(Ended { time, skipped }),
        }
        false
    }
}

/// The record of a line. A line that was cut off and written on is read from the last record in it.
fn parse(text: &str, number: usize, whole: bool, warnings: &mut Vec<String>) -> Option<Record> {
    let error = match serde_json::from_str(text) {
        Ok(record) => return Some(record),
        Err(error) => error,
    };
    if let Some(record) =
        text.match_indices(HEAD).skip(1).find_map(|(at, _)| serde_json::from_str::<Record>(&text[at..]).ok())
    {
        warnings
            .push(format!("line {number}: a record that was cut off is left out; the one behind it is read"));
        return Some(record);
    }
    warnings.push(if !whole || error.is_eof() {
        format!("line {number}: the record is cut off and left out; `csnbench run --resume` runs it again")
    } else {
        format!("line {number}: not a record that this version knows, left out: {error}")
    });
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"record":"run","version":1,"title":"t"}"#;

    fn read(text: &str) -> Stored {
        Stored::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_cut_at_any_byte_loses_only_the_last_record() {
        let whole = format!(
            "{RUN}\n{{\"record\":\"trial\",\"index\":0,\"meter\":\"größe\"}}\n{{\"record\":\"trial\",\"index\":1}}\n"
        );
        let first_trial = whole.match_indices('\n').nth(1).unwrap().0;
        for cut in RUN.len() + 1..whole.len() {
            let stored = Stored::read(&whole.as_bytes()[..cut]).unwrap();
            let expected = if cut >= whole.len() - 1 { 2 } else { usize::from(cut >= first_trial) };
            assert_eq!(stored.trials.len(), expected, "cut at {cut}");
            let clean = [RUN.len() + 1, first_trial, first_trial + 1, whole.len() - 1].contains(&cut);
            assert_eq!(stored.warnings.is_empty(), clean, "cut at {cut}: {:?}", stored.warnings);
        }
    }

    #[test]
    fn a_run_resumed_behind_a_cut_is_read_on() {
        let stored = read(&format!(
            "{RUN}\n{{\"record\":\"trial\",\"ind{{\"record\":\"resume\",\"time\":5.0,\"host\":{{\"cpus\":2}}}}\n{{\"record\":\"trial\",\"index\":7}}\n"
        ));
        assert_eq!((stored.resumed.len(), stored.resumed[0].host.cpus), (1, 2));
        assert_eq!(stored.trials[0].index, 7);
        assert_eq!(stored.warnings.len(), 1);
        assert!(stored.end.is_none());
    }

    #[test]
    fn what_later_versions_add_is_left_out_and_said() {
        let stored = read("{\"record\":\"run\",\"version\":9}\n{\"record\":\"weather\",\"rain\":true}\n");
        assert_eq!(stored.warnings.len(), 2);
        assert!(stored.warnings[0].contains("version 9") && stored.warnings[1].starts_with("line 2"));
    }

    #[test]
    fn trials_of_another_run_join_the_points_at_their_places() {
        let line = |point: u32, rules: &str| {
            format!("{{\"record\":\"trial\",\"point\":{point},\"at\":{{\"rules\":\"{rules}\"}}}}\n")
        };
        let mut first = read(&format!("{RUN}\n{}{}", line(0, "10"), line(1, "20")));
        first.join(read(&format!("{RUN}\n{}{}", line(0, "20"), line(1, "30"))));
        assert_eq!(first.trials.iter().map(|t| t.point).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!(first.trials[2].index, 2);
    }

    #[test]
    fn files_that_are_not_one_run_are_refused() {
        assert!(matches!(Stored::read("".as_bytes()), Err(StoreError::NoRun)));
        assert!(matches!(Stored::read("{\"record\":\"trial\"}\n".as_bytes()), Err(StoreError::NoRun)));
        let two = format!("{RUN}\n\n{RUN}\n");
        assert!(matches!(Stored::read(two.as_bytes()), Err(StoreError::SecondRun(3))));
    }
}
