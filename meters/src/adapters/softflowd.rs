//! softflowd: a flow probe that exports NetFlow.

use super::tools::collector::{ADDRESS, Collector, NFCAPD, NFDUMP};
use super::tools::daemon::{END, READY};
use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, flows, unlimited};
use crate::builtin::options::one_of;
use crate::meter::{MeterError, OptionDoc, Place, Readout, Running, Tells, Wire};
use csn::MeterSpec;

const SOFTFLOWD: Program = Program { name: "softflowd", package: "softflowd" };
const CONTROL: Program = Program { name: "softflowctl", package: "softflowd" };
const VERSIONS: [&str; 3] = ["9", "10", "5"];
/// Flows that it keeps: more than a trial has, since it throws the oldest out.
const FLOWS: &str = "1000000";

/// The meter `softflowd`.
pub static SOFTFLOWD_PROBE: External = External {
    name: "softflowd",
    summary: "softflowd, a flow probe that exports NetFlow or IPFIX",
    options: &[
        BUFFER,
        FILTER,
        OptionDoc { name: "export", values: "9 | 10 | 5", doc: "version of NetFlow; 10 is IPFIX; default 9" },
    ],
    programs: &[SOFTFLOWD, CONTROL, NFCAPD, NFDUMP],
    version: &["-h"],
    place: Place::Process,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/softflowd.md"),
    backend: None,
    limits: |spec, rules| {
        export(spec)?;
        unlimited(spec, rules)
    },
    start,
};

fn export(spec: &MeterSpec) -> Result<&'static str, MeterError> {
    Ok(VERSIONS[one_of(spec, "export", &VERSIONS)?])
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let collector = Collector::start(order)?;
    let control = job.folder.join("control");
    let mut command = SOFTFLOWD.command("softflowd")?;
    command.args(["-d", "-i", job.interface, "-n", ADDRESS, "-v", export(job.spec)?, "-m", FLOWS, "-6"]);
    command.arg("-p").arg(job.folder.join("pid")).arg("-c").arg(&control);
    command.arg("-B").arg(order.settings.buffer.to_string());
    if let Some(filter) = &order.filter {
        command.arg(format!("({filter}) or ({})", flows::sentinel_filter()));
    }
    let mut probe = Probe::start(order, command)?.with(collector);
    probe.daemon.wait_until("open its control socket", READY, &mut || Ok(control.exists()))?;
    Ok(probe.running(stop))
}

fn stop(probe: &mut Probe, wire: &dyn Wire) -> Result<Readout, MeterError> {
    let statistics = probe.statistics();
    probe.push(wire)?;
    let control = |probe: &Probe, word: &str| {
        let mut command = CONTROL.command("softflowd")?;
        command.arg("-c").arg(probe.folder.join("control")).arg(word);
        probe.inside.run(command)
    };
    control(probe, "expire-all")?;
    let told = control(probe, "statistics")?;
    control(probe, "shutdown")?;
    probe.daemon.ended(END)?;
    let (found, mut export) = probe.collected()?;
    let mut readout = probe.judged(&found, statistics);
    // Flows exported: 11 (11 records) in 1 packets (0 failures)
    if let Some(line) = told.lines().find(|l| l.starts_with("Flows exported:")) {
        let numbers: Vec<u64> = line.split([' ', '(']).filter_map(|w| w.parse().ok()).collect();
        if let [_, records, messages, ..] = numbers[..] {
            export.records = records;
            export.messages = messages;
            export.lost = records.saturating_sub(export.collected);
        }
    }
    readout.export = Some(export);
    Ok(readout)
}
