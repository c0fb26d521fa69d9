//! fprobe: a flow probe that exports NetFlow v5.

use super::tools::collector::{ADDRESS, Collector, NFCAPD, NFDUMP};
use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, flows, unlimited};
use crate::builtin::options::one_of;
use crate::meter::{MeterError, OptionDoc, Place, Readout, Running, Tells, Wire};
use csn::Field;
use nix::sys::signal::Signal;

const FPROBE: Program = Program { name: "fprobe", package: "fprobe" };

/// The meter `fprobe`.
pub static FPROBE_PROBE: External = External {
    name: "fprobe",
    summary: "fprobe, a flow probe that exports NetFlow v5",
    options: &[
        BUFFER,
        FILTER,
        OptionDoc {
            name: "queue",
            values: "tuned | usual",
            doc: "20,000 pending flows, or its default of 100, with which it loses packets in silence; default tuned",
        },
    ],
    programs: &[FPROBE, NFCAPD, NFDUMP],
    version: &["-h"],
    place: Place::Process,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/fprobe.md"),
    backend: None,
    limits: |spec, rules| {
        one_of(spec, "queue", &["tuned", "usual"])?;
        let six = rules.rules.iter().position(|r| {
            let addresses = r.tests.iter().filter(|(f, _)| matches!(f, Field::SrcIp | Field::DstIp));
            addresses.flat_map(|(_, set)| set.ranges()).any(|range| range.lo.family == 6)
        });
        match six {
            Some(rule) => Err(MeterError::Loss {
                meter: "fprobe".into(),
                rule: rule + 1,
                reason: "NetFlow v5 has no addresses of IPv6".into(),
            }),
            None => unlimited(spec, rules),
        }
    },
    start,
};

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let collector = Collector::start(order)?;
    let mut command = FPROBE.command("fprobe")?;
    command.args(["-i", job.interface, "-l", "2:csnbench", "-s", "1", "-d", "3600", "-e", "3600"]);
    command.arg("-B").arg((order.settings.buffer / 1024).to_string());
    if one_of(job.spec, "queue", &["tuned", "usual"])? == 0 {
        command.args(["-q", "20000"]);
    }
    let filter = match &order.filter {
        Some(filter) => format!("({filter}) or ({})", flows::sentinel_filter()),
        None => "ip".into(),
    };
    command.arg("-f").arg(filter).arg(ADDRESS);
    Ok(Probe::start(order, command)?.with(collector).running(stop))
}

fn stop(probe: &mut Probe, wire: &dyn Wire) -> Result<Readout, MeterError> {
    let statistics = probe.statistics();
    probe.push(wire)?;
    probe.daemon.settle();
    probe.daemon.stop(Signal::SIGTERM)?;
    let (found, export) = probe.collected()?;
    Ok(Readout { export: Some(export), ..probe.judged(&found, statistics) })
}
