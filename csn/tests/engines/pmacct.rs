//! pmacctd, reading a capture file, with a print plugin that counts by tag.

use crate::agree::{Engine, Job, backend};
use crate::network::installed;
use crate::tcpdump::{Folder, write_capture};
use csn::Field;
use csn::backends::Backend;
use std::process::{Command, Stdio};

/// The tags of pmacctd.
pub struct Pmacct;

impl Engine for Pmacct {
    fn name(&self) -> String {
        "pmacctd".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("pmacct")
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        installed("pmacctd", "pmacct")
    }

    /// It sleeps for some seconds around each capture file.
    fn at_once(&self) -> usize {
        6
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        repeated(job)
    }

    fn counts_of_all(&mut self, jobs: &[Job]) -> Vec<Vec<Option<u64>>> {
        std::thread::scope(|s| {
            let running: Vec<_> = jobs.iter().map(|job| s.spawn(|| repeated(job))).collect();
            running.into_iter().map(|r| r.join().expect("pmacctd answers")).collect()
        })
    }
}

/// The core waits two seconds for its plugin and then ends, whether or not that has counted everything, and on a busy
/// machine the plugin may go before that: what has not seen all packets is no answer.
fn repeated(job: &Job) -> Vec<Option<u64>> {
    for _ in 0..TRIES {
        let counts = once(job);
        if counts.iter().flatten().sum::<u64>() == job.frames.len() as u64 {
            return counts;
        }
    }
    panic!("pmacctd has not seen all packets {TRIES} times");
}

const TRIES: usize = 6;

fn once(job: &Job) -> Vec<Option<u64>> {
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name).display().to_string();
    write_capture(&folder.0.join("all.pcap"), &job.frames);
    std::fs::write(at("map"), &job.made.artefact).expect("the map can be written");
    let row = job.made.artefact.lines().map(str::len).max().unwrap_or(0) + 2;
    let settings = [
        ("daemonize", "false".into()),
        ("pcap_savefile", at("all.pcap")),
        ("plugins", "print[a]".into()),
        ("aggregate[a]", "tag".into()),
        ("pre_tag_map", at("map")),
        ("maps_entries", (job.made.entries + 1).to_string()),
        ("maps_row_len", row.max(256).to_string()),
        ("print_output[a]", "csv".into()),
        ("print_output_file[a]", at("counts.csv")),
        ("print_cache_entries[a]", "2039".into()),
        ("print_refresh_time[a]", "86400".into()),
        ("plugin_pipe_size", "16777216".into()),
        ("plugin_buffer_size", "65536".into()),
        ("logfile", at("log")),
    ];
    let text: String = settings.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    std::fs::write(at("settings"), text).expect("the settings can be written");
    let _ = Command::new("pmacctd")
        .args(["-f", &at("settings")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("pmacctd can be run");
    let log = std::fs::read_to_string(at("log")).unwrap_or_default();
    let complaints: Vec<&str> =
        log.lines().filter(|l| (l.contains("WARN") || l.contains("ERR")) && l.contains("/map:")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let counts = std::fs::read_to_string(at("counts.csv")).unwrap_or_default();
    let mut out = vec![Some(0); job.rules.classes.len()];
    for line in counts.lines().skip(1) {
        let mut words = line.split(',').map(|w| w.parse::<u64>().expect("a number"));
        let (tag, packets) = (words.next().expect("a tag"), words.next().expect("packets"));
        out[tag as usize] = Some(packets);
    }
    out
}
