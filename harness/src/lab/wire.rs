//! The generator's end of the link, for frames that belong to no load.

use super::{GENERATOR_INTERFACE, Helper, Place};
use crate::worker::{Frames, Progress};
use meters::Launch;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long sending a few frames may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends from the generator's namespace, by a process of its own: the generator has its ledger closed by then.
pub struct Wire<'a> {
    place: &'a Place,
    program: &'a Path,
}

impl<'a> Wire<'a> {
    /// Sends from that place. `program` is csnbench itself.
    pub fn new(place: &'a Place, program: &'a Path) -> Self {
        Self { place, program }
    }
}

impl meters::Wire for Wire<'_> {
    fn send(&self, frame: &[u8], times: u32) -> io::Result<()> {
        let mut command = Command::new(self.program);
        command.args(["worker", "frames"]);
        Helper::pipes(&mut command);
        let mut helper = Helper::new(self.place.spawn(command)?, Duration::ZERO)?;
        helper.send(&Frames { interface: GENERATOR_INTERFACE.into(), frame: frame.to_vec(), times })?;
        match helper.receive(PATIENCE, &mut || Ok(()))? {
            Progress::Ready => Ok(()),
            Progress::Error { message } => Err(io::Error::other(message)),
            Progress::Report(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
