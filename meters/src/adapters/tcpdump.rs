//! tcpdump, which writes packets into a file; the oracle gives each its class.

use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, unlimited};
use crate::builtin::options::number;
use crate::meter::{MeterError, OptionDoc, Place, Readout, Running, Tells, Wire};
use csn::{Classifier, Counts, MeterSpec, RuleSet, packet};
use nix::sys::signal::Signal;
use pcap_file::pcap::PcapReader;
use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

const TCPDUMP: Program = Program { name: "tcpdump", package: "tcpdump" };
/// The capture, in the meter's folder; it goes when it is read.
const CAPTURE: &str = "capture.pcap";
/// Octets of a packet that are kept by default: all headers.
const SNAPLEN: u64 = 128;
/// How long it may take to write what is in its ring: libpcap hands a block over after a second at the latest.
const WRITING: Duration = Duration::from_secs(20);

/// The meter `tcpdump`.
pub static TCPDUMP_FILE: External = External {
    name: "tcpdump",
    summary: "tcpdump, writing packets into a file",
    options: &[
        BUFFER,
        FILTER,
        OptionDoc {
            name: "snaplen",
            values: "BYTES",
            doc: "octets of a packet that are written; default 128",
        },
    ],
    programs: &[TCPDUMP],
    version: &["--version"],
    place: Place::Process,
    tells: Tells::Packets,
    deviations: include_str!("../../deviations/tcpdump.md"),
    backend: None,
    limits: |spec, rules| {
        snaplen(spec)?;
        unlimited(spec, rules)
    },
    start,
};

fn snaplen(spec: &MeterSpec) -> Result<u64, MeterError> {
    Ok(number(spec, "snaplen", "B", 64..=262_144)?.unwrap_or(SNAPLEN))
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let mut command = TCPDUMP.command("tcpdump")?;
    // as root it would give up the right to write into the folder
    command.args(["-i", job.interface, "-n", "-Z", "root", "-s"]).arg(snaplen(job.spec)?.to_string());
    command.arg("-B").arg((order.settings.buffer / 1024).to_string());
    command.arg("-w").arg(job.folder.join(CAPTURE)).args(&order.filter);
    let mut probe = Probe::start(order, command)?;
    let log = job.folder.join("meter.log");
    let said = || Ok(std::fs::read_to_string(&log).unwrap_or_default().contains("listening on"));
    probe.daemon.wait_until("listen", WRITING, &mut { said })?;
    Ok(probe.running(stop))
}

fn stop(probe: &mut Probe, _wire: &dyn Wire) -> Result<Readout, MeterError> {
    // it tells on SIGUSR1 what it has written and what the kernel gave it, since the start
    let log = probe.folder.join("meter.log");
    let mut told = (0, 0, 0);
    let pid = nix::unistd::Pid::from_raw(probe.daemon.pid() as i32);
    let mut all_written = || {
        let _ = nix::sys::signal::kill(pid, Signal::SIGUSR1);
        std::thread::sleep(Duration::from_millis(20));
        told = summary(&std::fs::read_to_string(&log).unwrap_or_default()).unwrap_or(told);
        let (captured, received, dropped) = told;
        Ok(received > 0 && captured + dropped >= received)
    };
    // one that saw nothing has nothing to write
    let waited = probe.daemon.wait_until("write its packets", Duration::from_secs(3), &mut all_written);
    let (_, received, dropped) = told;
    if received > 0 {
        waited?;
    }
    probe.daemon.stop(Signal::SIGINT)?;
    let path = probe.folder.join(CAPTURE);
    let classes = classify(&path, &probe.rules, probe.loaded())
        .map_err(|e| probe.inside.failed(format!("its capture can't be read: {e}")))?;
    // large, and all that is wanted of it is counted
    let _ = std::fs::remove_file(&path);
    let statistics = super::tools::sockets::Statistics { admitted: received, dropped };
    Ok(probe.readout(classes, statistics))
}

/// Captured, received and dropped packets, as told last.
fn summary(log: &str) -> Option<(u64, u64, u64)> {
    // tcpdump: 3 packets captured, 4 packets received by filter, 0 packets dropped by kernel
    let line =
        log.lines().rev().find(|l| l.contains("packets captured,") || l.contains("packet captured,"))?;
    let mut numbers = line.split([' ', ',']).filter_map(|w| w.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next()?))
}

/// The class of every packet of a capture file.
fn classify(path: &std::path::Path, rules: &RuleSet, loaded: usize) -> Result<Vec<Counts>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut packets = PcapReader::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let classifier = Classifier::new(&rules.first(loaded));
    let mut out = vec![Counts::default(); rules.classes.len()];
    while let Some(frame) = packets.next_packet() {
        let frame = frame.map_err(|e| e.to_string())?;
        let class = classifier.classify(&packet::parse(frame.data(), None)).class;
        if let Some(counts) = out.get_mut(class.index()) {
            counts.add(frame.orig_len().into());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_summary_counts() {
        let log = "tcpdump: listening on meter0\n\
                   tcpdump: 1 packet captured, 4 packets received by filter, 0 packets dropped by kernel\n\
                   tcpdump: 3 packets captured, 4 packets received by filter, 1 packet dropped by kernel\n";
        assert_eq!(summary(log), Some((3, 4, 1)));
        assert_eq!(summary("tcpdump: listening on meter0\n"), None);
    }
}
