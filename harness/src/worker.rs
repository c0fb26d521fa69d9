//! What csnbench does when it is started again for work in a process of its own: `csnbench worker lab` holds a lab,
//! `csnbench worker generate` sends one trial's packets, `csnbench worker frames` some that belong to none. They speak JSON lines and end with their input.

use crate::lab::holder;
use generator::tx::{Fates, MAX_BATCH, Opened, Slot, Transmitter, TxError};
use generator::{Job, Plan, Report};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

/// A load, and where it goes: the first line that the generator reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// What is sent.
    pub job: Job,
    /// The interface in the generator's namespace.
    pub interface: String,
    /// What puts it there: a name in [`generator::tx::TABLE`].
    pub transmitter: String,
}

/// The line that starts sending.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename = "go")]
pub struct Go;

/// Frames outside of any load: the one line that their sender reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Frames {
    /// The interface in the generator's namespace.
    pub interface: String,
    /// What is sent.
    pub frame: Vec<u8>,
    /// How often.
    pub times: u32,
}

/// What the generator answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Progress {
    /// The packets are made.
    Ready,
    /// The packets are sent.
    Report(Box<Report>),
    /// They can't be.
    Error {
        /// Why.
        message: String,
    },
}

/// Runs the worker that the arguments behind `csnbench worker` name.
pub fn worker(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let done = match args.first().and_then(|a| a.to_str()) {
        Some("lab") => holder::hold(),
        Some("generate") => generate(),
        Some("frames") => frames(),
        _ => {
            eprintln!("csnbench worker is started by csnbench run, not by hand");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // the run that started the worker is gone
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("csnbench worker: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the packets of one order, waits for `go`, sends them and reports.
fn generate() -> io::Result<()> {
    let mut lines = io::stdin().lines();
    let Some(line) = lines.next() else {
        return Ok(());
    };
    let order: Order = serde_json::from_str(&line?)?;
    let (mut plan, mut opened) = match prepare(&order) {
        Ok(prepared) => prepared,
        Err(message) => return say(&Progress::Error { message }),
    };
    say(&Progress::Ready)?;
    let Some(line) = lines.next() else {
        return Ok(());
    };
    let _: Go = serde_json::from_str(&line?)?;
    // who wants it to stop ends the process
    let never = AtomicBool::new(false);
    say(&match generator::send(&mut plan, opened.tx.as_mut(), opened.pace, &never) {
        Ok(mut report) => {
            report.notes.splice(..0, opened.why);
            Progress::Report(Box::new(report))
        }
        Err(e) => Progress::Error { message: e.to_string() },
    })
}

/// Sends the frames of one order.
fn frames() -> io::Result<()> {
    let Some(line) = io::stdin().lines().next() else {
        return Ok(());
    };
    let order: Frames = serde_json::from_str(&line?)?;
    say(&match repeat(&order) {
        Ok(()) => Progress::Ready,
        Err(e) => Progress::Error { message: e.to_string() },
    })
}

/// Sends a frame as often as asked for, and again where the device refused it.
fn repeat(order: &Frames) -> Result<(), TxError> {
    let mut device = generator::tx::open_packet(&order.interface)?;
    device.prepare(order.frame.len(), None)?;
    let mut fill = |slots: &mut [Slot]| {
        for slot in &mut *slots {
            slot.buffer(order.frame.len())[..order.frame.len()].copy_from_slice(&order.frame);
        }
        slots.len()
    };
    let mut left = u64::from(order.times);
    while left > 0 {
        let mut fates = Fates::default();
        device.transmit(left.min(MAX_BATCH as u64) as usize, &mut fill, &mut fates)?;
        left = left.saturating_sub(fates.count_left());
    }
    Ok(())
}

/// Plans the packets and opens the interface.
fn prepare(order: &Order) -> Result<(Plan, Opened), String> {
    let plan = Plan::new(&order.job).map_err(|e| e.to_string())?;
    let opened = generator::tx::open(&order.transmitter, &order.interface, plan.longest());
    Ok((plan, opened.map_err(|e| e.to_string())?))
}

/// Writes one line.
fn say(progress: &Progress) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, progress)?;
    out.write_all(b"\n")?;
    out.flush()
}
