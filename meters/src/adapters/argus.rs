//! argus: a flow monitor that writes records of its own.

use super::tools::flows::Flow;
use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, unlimited};
use crate::meter::{MeterError, Place, Readout, Running, Tells, Wire};
use csn::Counts;
use nix::sys::signal::Signal;

const ARGUS: Program = Program { name: "argus", package: "argus-server" };
const RACLUSTER: Program = Program { name: "racluster", package: "argus-client" };
const RECORDS: &str = "argus.out";

/// The meter `argus`.
pub static ARGUS_PROBE: External = External {
    name: "argus",
    summary: "argus, a flow monitor that writes a file of records",
    options: &[BUFFER, FILTER],
    programs: &[ARGUS, RACLUSTER],
    version: &["-h"],
    place: Place::Process,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/argus.md"),
    backend: None,
    limits: unlimited,
    start,
};

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let mut command = ARGUS.command("argus")?;
    // without the machine's own settings; records when flows end, and those end with the trial
    command.args(["-X", "-i", job.interface, "-S", "3600", "-M", "3600", "-B", "127.0.0.1", "-w"]);
    command.arg(job.folder.join(RECORDS));
    if let Some(filter) = &order.filter {
        command.args(["-", filter]);
    }
    Ok(Probe::start(order, command)?.running(stop))
}

fn stop(probe: &mut Probe, wire: &dyn Wire) -> Result<Readout, MeterError> {
    let statistics = probe.statistics();
    probe.push(wire)?;
    probe.daemon.settle();
    probe.daemon.stop(Signal::SIGINT)?;
    let mut command = RACLUSTER.command("argus")?;
    command.args(["-X", "-nn", "-u", "-r"]).arg(probe.folder.join(RECORDS));
    command.args(["-m", "proto", "saddr", "daddr", "sport", "dport", "-c", ","]);
    command.args([
        "-s", "proto", "saddr", "daddr", "sport", "dport", "spkts", "dpkts", "sbytes", "dbytes", "-", "ip",
    ]);
    let text = probe.inside.run(command)?;
    let flows: Vec<Flow> = text.lines().flat_map(flows).collect();
    Ok(probe.judged(&flows, statistics))
}

/// `17,10.0.0.1,10.1.0.1,5000,2000,100,0,10200,0`: both directions of a flow. What is no such line is its head.
fn flows(line: &str) -> Vec<Flow> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [protocol, source, destination, from, to, there, back, sent, answered] = fields.as_slice() else {
        return vec![];
    };
    let port = |text: &str| match text.strip_prefix("0x") {
        Some(hexadecimal) => u16::from_str_radix(hexadecimal, 16).unwrap_or(0),
        None => text.parse().unwrap_or(0),
    };
    let number = |text: &str| text.parse().unwrap_or(0);
    let (Ok(protocol), Ok(source), Ok(destination)) = (protocol.parse(), source.parse(), destination.parse())
    else {
        return vec![];
    };
    let (from, to) = (port(from), port(to));
    [([source, destination], [from, to], there, sent), ([destination, source], [to, from], back, answered)]
        .into_iter()
        .map(|(addresses, ports, packets, bytes)| Flow {
            addresses,
            protocol,
            ports,
            counts: Counts { packets: number(packets), bytes: number(bytes) },
        })
        .filter(|f| f.counts.packets > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_flows() {
        let found = flows("17,10.0.0.1,10.1.0.1,5000,2000,100,3,10200,300");
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].ports, found[1].counts.packets), ([2000, 5000], 3));
        assert_eq!(flows("Proto,SrcAddr,DstAddr,Sport,Dport,SrcPkts,DstPkts,SrcBytes,DstBytes"), []);
    }
}
