//! pmacctd with a map of tags (`pre_tag_map`): it tells classes apart itself, by a list of filters.

use super::tools::{BUFFER, External, FILTER, Order, Probe, Program, by_class, unlimited, write};
use crate::meter::{MeterError, Place, Readout, Running, Tells, Wire};
use csn::backends::Options;
use csn::{ClassId, Counts, MeterSpec};
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::time::Duration;

const PMACCTD: Program = Program { name: "pmacctd", package: "pmacct" };
/// What the print plugin writes.
const COUNTS: &str = "counts.csv";
/// The labels of the classes, beside the rules.
const LABELS: &str = "labels";
/// How long the plugin may take to write, behind the end of the core.
const WRITING: Duration = Duration::from_secs(20);
/// libpcap hands the last packets over when a block is a second old, which nothing outside shows.
const BLOCK: Duration = Duration::from_millis(1200);

/// The meter `pmacct`.
pub static PMACCT: External = External {
    name: "pmacct",
    summary: "pmacctd, a tag for each class by a list of filters (pre_tag_map)",
    options: &[BUFFER, FILTER],
    programs: &[PMACCTD],
    version: &["-V"],
    place: Place::Process,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/pmacct.md"),
    backend: Some(|_: &MeterSpec| Ok(("pmacct", Options { live: true, ..Options::default() }))),
    limits: unlimited,
    start,
};

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let at = |name: &str| job.folder.join(name).display().to_string();
    let map = &order.rules.artefact;
    write(&job.folder.join("rules.map"), map)?;
    let labels: String = order.rules.labels.iter().map(|(l, c)| format!("{l} {}\n", c.0)).collect();
    write(&job.folder.join(LABELS), &labels)?;
    let row = map.lines().map(str::len).max().unwrap_or(0) + 2;
    let mut settings = vec![
        ("daemonize", "false".to_owned()),
        ("pcap_interface", job.interface.into()),
        ("plugins", "print[a]".into()),
        ("aggregate[a]", "tag".into()),
        ("pre_tag_map", at("rules.map")),
        ("maps_entries", (order.rules.entries + 1).to_string()),
        ("maps_row_len", row.max(256).to_string()),
        ("maps_index", "false".into()),
        ("print_output[a]", "csv".into()),
        ("print_output_file[a]", at(COUNTS)),
        ("print_cache_entries[a]", "16411".into()),
        ("print_refresh_time[a]", "86400".into()),
        // between core and plugin it loses in silence with the usual sizes
        ("plugin_pipe_size", "67108864".into()),
        ("plugin_buffer_size", "65536".into()),
        ("pmacctd_pipe_size", order.settings.buffer.to_string()),
        ("logfile", at("pmacctd.log")),
    ];
    if let Some(filter) = &order.filter {
        settings.push(("pcap_filter", filter.clone()));
    }
    let text: String = settings.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    write(&job.folder.join("pmacctd.conf"), &text)?;
    let mut command = PMACCTD.command("pmacct")?;
    command.arg("-f").arg(job.folder.join("pmacctd.conf"));
    let probe = Probe::start(order, command)?;
    let log = std::fs::read_to_string(job.folder.join("pmacctd.log")).unwrap_or_default();
    match log.lines().find(|l| (l.contains("WARN") || l.contains("ERR")) && l.contains("rules.map")) {
        Some(complaint) => Err(probe.inside.failed(format!("it did not take its map: {complaint}"))),
        None => Ok(probe.running(stop)),
    }
}

fn stop(probe: &mut Probe, _wire: &dyn Wire) -> Result<Readout, MeterError> {
    std::thread::sleep(BLOCK);
    probe.daemon.settle();
    let statistics = probe.statistics();
    let path = probe.folder.join(COUNTS);
    probe.daemon.signal(Signal::SIGINT);
    let counted = statistics.admitted > statistics.dropped;
    // the plugin writes behind the core's back, and the file is there before it is full
    let mut written = || Ok(!counted || std::fs::read_to_string(&path).is_ok_and(|t| t.ends_with('\n')));
    let waited = probe.daemon.wait_until("write its counts", WRITING, &mut written);
    if !written()? {
        waited?;
    }
    probe.daemon.ended(WRITING)?;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let counts = tags(&text);
    let labels = std::fs::read_to_string(probe.folder.join(LABELS)).unwrap_or_default();
    let labels: Vec<(String, ClassId)> = (labels.lines())
        .filter_map(|l| l.split_once(' '))
        .filter_map(|(label, class)| Some((label.to_owned(), ClassId(class.parse().ok()?))))
        .collect();
    let classes = by_class(&labels, probe.rules.classes.len(), |l| counts.get(l).copied());
    Ok(probe.readout(classes, statistics))
}

/// `TAG,PACKETS,BYTES` and a line for each tag.
fn tags(text: &str) -> HashMap<String, Counts> {
    let tag = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        let (tag, packets, bytes) = (fields.next()?, fields.next()?, fields.next()?);
        Some((tag.to_owned(), Counts { packets: packets.parse().ok()?, bytes: bytes.parse().ok()? }))
    };
    text.lines().filter_map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_counted() {
        let counts = tags("TAG,PACKETS,BYTES\n0,5,500\n2,7,700\n");
        assert_eq!(counts.len(), 2);
        assert_eq!(counts["2"], Counts { packets: 7, bytes: 700 });
    }
}
