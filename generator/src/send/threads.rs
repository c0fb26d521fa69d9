//! One plan, several threads.
//!
//! Every thread goes through the whole plan and sends the flows that are its own. So all frames, their send times and
//! their order within a flow are those of one thread, whatever the number of threads, and nothing is shared while
//! sending. What a thread skips costs it the writing of a frame, some 15 ns where sending takes 500.

use super::{Done, Pacing, SendError, sending};
use crate::job::{Job, Report};
use crate::plan::Plan;
use crate::tx::{Opened, TxError};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which flows a thread sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub(super) index: u32,
    pub(super) of: u32,
}

impl Share {
    /// All of them.
    pub const ALL: Share = Share { index: 0, of: 1 };

    /// Whether a flow, by its number, is in it.
    #[inline]
    pub(super) fn has(self, flow: u32) -> bool {
        self.of == 1 || flow % self.of == self.index
    }
}

/// Sends a job by several threads, each with a back end of its own that `open` gives by the thread's number, from 0.
///
/// # Errors
/// Those of planning and of [`super::send_paced`], of whatever thread; the others then end too.
pub fn send_by_threads(
    job: &Job,
    threads: u32,
    open: &(dyn Fn(u32, usize) -> Result<Opened, TxError> + Sync),
    pacing: Pacing,
    stop: &AtomicBool,
) -> Result<Report, SendError> {
    let threads = threads.max(1);
    let start = Barrier::new(threads as usize);
    let one = |index: u32| {
        let ready = Plan::new(job).map_err(SendError::Plan).and_then(|plan| {
            let opened = open(index, plan.longest())?;
            Ok((plan, opened))
        });
        // send times count from here, for all
        start.wait();
        let result = ready.and_then(|(mut plan, mut opened)| {
            let (share, why) = (Share { index, of: threads }, std::mem::take(&mut opened.why));
            let mut done = sending(&mut plan, opened.tx.as_mut(), (opened.pace, pacing), share, stop)?;
            done.notes.splice(..0, why);
            Ok(done)
        });
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        result
    };
    let all: Vec<Result<Done, SendError>> = std::thread::scope(|scope| {
        let one = &one;
        let handles: Vec<_> = (0..threads).map(|i| scope.spawn(move || one(i))).collect();
        handles.into_iter().map(|h| h.join().unwrap_or(Err(SendError::Thread))).collect()
    });
    let mut sum: Option<Done> = None;
    for done in all {
        let done = done?;
        match &mut sum {
            None => sum = Some(done),
            Some(sum) => sum.add(done),
        }
    }
    sum.map(Done::report).ok_or(SendError::Thread)
}
