//! nfpcapd of nfdump: a flow probe that writes files of its own.

use super::tools::collector::{self, NFDUMP};
use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, unlimited};
use crate::meter::{MeterError, Place, Readout, Running, Tells, Wire};
use nix::sys::signal::Signal;

const NFPCAPD: Program = Program { name: "nfpcapd", package: "nfdump" };

/// The meter `nfpcapd`.
pub static NFPCAPD_FILES: External = External {
    name: "nfpcapd",
    summary: "nfpcapd of nfdump, a flow probe that writes files",
    options: &[BUFFER, FILTER],
    programs: &[NFPCAPD, NFDUMP],
    version: &["-V"],
    place: Place::Process,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/nfpcapd.md"),
    backend: None,
    limits: unlimited,
    start,
};

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let files = job.folder.join("flows");
    std::fs::create_dir_all(&files)
        .map_err(|source| MeterError::Io { what: format!("make {}", files.display()), source })?;
    let mut command = NFPCAPD.command("nfpcapd")?;
    // the longest that it takes: a flow of a trial is one record
    command.args(["-i", job.interface, "-t", "86400", "-e", "3600,600", "-w"]).arg(&files);
    command.arg("-b").arg((order.settings.buffer >> 20).max(1).to_string()).args(&order.filter);
    Ok(Probe::start(order, command)?.running(stop))
}

fn stop(probe: &mut Probe, wire: &dyn Wire) -> Result<Readout, MeterError> {
    let statistics = probe.statistics();
    probe.push(wire)?;
    probe.daemon.stop(Signal::SIGTERM)?;
    let flows = collector::read(&probe.inside, &probe.folder.join("flows"))?;
    Ok(probe.judged(&flows, statistics))
}
