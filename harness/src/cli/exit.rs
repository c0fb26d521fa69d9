//! Exit codes: what scripts and CI may rely on.

use std::process::ExitCode;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and all that was expected holds.
    Done = 0,
    /// The program or its environment failed.
    Failed = 1,
    /// Wrong use of the command line.
    Usage = 64,
    /// The input is in error.
    Input = 65,
    /// Nothing could be run here.
    Nothing = 77,
    /// An `expect` does not hold.
    Expectation = 99,
    /// A comparison found a regression.
    Regression = 100,
    /// The measurement is invalid.
    Invalid = 101,
    /// There is nothing to compare with.
    NoBaseline = 102,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
