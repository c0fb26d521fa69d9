//! Connection tracking of the kernel with its counters, read as a table at the end or as events by ulogd2.

use super::tools::daemon::{Daemon, READY};
use super::tools::flows::{self, Flow};
use super::tools::inside::Inside;
use super::tools::kernel::IP;
use super::tools::{External, InKernel, Order, Program, unlimited, write};
use crate::meter::{MeterError, Place, Readout, Running, StageLoss, Tells, Wire};
use csn::Counts;
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::process::Command;

const CONNTRACK: Program = Program { name: "conntrack", package: "conntrack" };
const ULOGD: Program = Program { name: "ulogd", package: "ulogd2" };
const NFT: Program = Program { name: "nft", package: "nftables" };
/// Where tracked packets are sent to. An ifb device discards what was not redirected to it.
const SINK: &str = "csn-sink";
/// Tracking starts with the first rule that asks for it.
const TABLE: &str =
    "table ip csn_tracking { chain c { type filter hook forward priority 0; ct state new counter; }; }";
/// What ulogd writes: a line for each flow that ends.
const FLOWS: &str = "flows.csv";

/// The meter `conntrack`.
pub static CONNTRACK_TABLE: External = External {
    name: "conntrack",
    summary: "the kernel's connection tracking with accounting, read as a table",
    options: &[],
    programs: &[CONNTRACK, NFT, IP],
    version: &["--version"],
    place: Place::Kernel,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/conntrack.md"),
    backend: None,
    limits: unlimited,
    start: |order| {
        let kernel = track(order)?;
        let (rules, loaded) = (order.job.rules.clone(), order.job.loaded);
        Ok(kernel.running(Box::new(move |inside| {
            let found = table(inside)?;
            let classes = flows::classes(&found, &rules, loaded);
            Ok(Readout { classes, flows: found.len() as u64, ..Readout::default() })
        })))
    },
};

/// The meter `ulogd2`.
pub static ULOGD2: External = External {
    name: "ulogd2",
    summary: "ulogd2, which writes a record for each connection that the kernel tracked",
    options: &[],
    programs: &[ULOGD, CONNTRACK, NFT, IP],
    version: &["-V"],
    place: Place::Process,
    tells: Tells::Flows,
    deviations: include_str!("../../deviations/ulogd2.md"),
    backend: None,
    limits: unlimited,
    start: start_ulogd,
};

/// Has the kernel track what arrives: takes it in, and routes it to a device that discards it. Packets that are
/// dropped earlier are never confirmed as a connection.
fn track(order: &Order<'_>) -> Result<InKernel, MeterError> {
    let name = order.job.spec.name.as_str();
    let mut kernel = InKernel::new(order)?;
    let ip = |words: &str| {
        let mut command = IP.command(name)?;
        command.args(words.split(' '));
        Ok::<_, MeterError>(command)
    };
    kernel.take_in(order)?;
    kernel.at_end(ip(&format!("link del {SINK}"))?);
    kernel.inside().run(ip(&format!("link add {SINK} type ifb"))?).map_err(|e| MeterError::Unavailable {
        meter: name.into(),
        reason: format!("the kernel has no ifb devices ({e})"),
        cure: "sudo modprobe ifb".into(),
    })?;
    kernel.inside().run(ip(&format!("link set {SINK} up"))?)?;
    let nft = |words: &[&str]| {
        let mut command = NFT.command(name)?;
        command.args(words);
        Ok::<_, MeterError>(command)
    };
    kernel.at_end(nft(&["delete", "table", "ip", "csn_tracking"])?);
    kernel.inside().run(nft(&[TABLE])?)?;
    let mut flush = CONNTRACK.command(name)?;
    flush.arg("-F");
    kernel.inside().run(flush)?;
    let net = "/proc/sys/net";
    let arriving = order.job.interface;
    let settings = [
        (format!("{net}/ipv4/ip_forward"), "1"),
        (format!("{net}/ipv4/conf/all/rp_filter"), "0"),
        (format!("{net}/ipv4/conf/{arriving}/rp_filter"), "0"),
        (format!("{net}/netfilter/nf_conntrack_acct"), "1"),
        (format!("{net}/netfilter/nf_conntrack_udp_timeout"), "3600"),
    ];
    let text: String =
        settings.iter().map(|(file, value)| format!("echo {value} > {file} || exit 1\n")).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", &text]);
    kernel.inside().run(shell)?;
    let mut off = Command::new("sh");
    off.args(["-c", &format!("echo 0 > {net}/ipv4/ip_forward; echo 0 > {net}/netfilter/nf_conntrack_acct")]);
    kernel.at_end(off);
    kernel.inside().run(ip(&format!("route add default dev {SINK}"))?)?;
    kernel.fact("rules live", "none to be loaded: every connection is tracked".into());
    Ok(kernel)
}

/// All connections, both directions.
fn table(inside: &Inside) -> Result<Vec<Flow>, MeterError> {
    let mut list = CONNTRACK.command(inside.meter())?;
    list.arg("-L");
    Ok(inside.run(list)?.lines().flat_map(connection).collect())
}

/// `udp 17 29 src=10.0.0.1 dst=10.1.0.1 sport=5000 dport=2000 packets=9 bytes=88 [UNREPLIED] src=… `: two flows.
fn connection(line: &str) -> Vec<Flow> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(protocol) = words.get(1).and_then(|w| w.parse().ok()) else { return vec![] };
    let starts: Vec<usize> =
        words.iter().enumerate().filter(|(_, w)| w.starts_with("src=")).map(|(i, _)| i).collect();
    let mut out = vec![];
    for (i, start) in starts.iter().enumerate() {
        let part = &words[*start..starts.get(i + 1).copied().unwrap_or(words.len())];
        let value = |name: &str| part.iter().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| value(name).and_then(|v| v.parse().ok()).unwrap_or(0);
        let address = |name: &str| value(name).and_then(|v| v.parse().ok());
        let (Some(source), Some(destination)) = (address("src"), address("dst")) else { continue };
        let ports = match value("type") {
            Some(_) => [number("type"), number("code")],
            None => [number("sport"), number("dport")],
        };
        let counts = Counts { packets: number("packets"), bytes: number("bytes") };
        if counts.packets > 0 {
            let ports = ports.map(|p| p as u16);
            out.push(Flow { addresses: [source, destination], protocol, ports, counts });
        }
    }
    out
}

/// ulogd and what it hears of.
struct Events {
    daemon: Daemon,
    tracked: Box<dyn Running>,
    inside: Inside,
    file: PathBuf,
    rules: csn::RuleSet,
    loaded: usize,
}

fn start_ulogd(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    let kernel = track(order)?;
    let file = job.folder.join(FLOWS);
    let log = job.folder.join("ulogd.log");
    let plugins = plugins().ok_or_else(|| MeterError::Unavailable {
        meter: "ulogd2".into(),
        reason: "its plugins are not where Debian has them".into(),
        cure: "sudo apt-get install ulogd2".into(),
    })?;
    let load: String = ["inpflow_NFCT", "filter_IP2STR", "output_GPRINT"]
        .iter()
        .map(|p| format!("plugin=\"{}/ulogd_{p}.so\"\n", plugins.display()))
        .collect();
    let text = format!(
        "[global]\nlogfile=\"{}\"\nloglevel=3\n{load}stack=ct1:NFCT,ip2str1:IP2STR,gp1:GPRINT\n\
         [ct1]\nnetlink_socket_buffer_size=33554432\nnetlink_socket_buffer_maxsize=33554432\n\
         event_mask=0x00000004\nhash_enable=0\n[gp1]\nfile=\"{}\"\n",
        log.display(),
        file.display()
    );
    write(&job.folder.join("ulogd.conf"), &text)?;
    let mut command = ULOGD.command("ulogd2")?;
    command.arg("-c").arg(job.folder.join("ulogd.conf"));
    let mut daemon = Daemon::start("ulogd2", command, job.launch, &job.folder.join("meter.log"))?;
    let listening = || Ok(std::fs::read_to_string(&log).unwrap_or_default().contains("entering main loop"));
    daemon.wait_until("listen", READY, &mut { listening })?;
    let inside = Inside::of(job)?;
    let tracked = kernel.running(Box::new(|_| Ok(Readout::default())));
    Ok(Box::new(Events { daemon, tracked, inside, file, rules: job.rules.clone(), loaded: job.loaded }))
}

/// The folder of ulogd's plugins.
fn plugins() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|e| e.path().join("ulogd"));
    libraries.chain([PathBuf::from("/usr/lib/ulogd")]).find(|p| p.join("ulogd_inpflow_NFCT.so").is_file())
}

impl Running for Events {
    fn pids(&self) -> Vec<u32> {
        self.daemon.family()
    }

    fn stop(self: Box<Self>, wire: &dyn Wire) -> Result<Readout, MeterError> {
        let Self { mut daemon, tracked, inside, file, rules, loaded } = *self;
        let known: u64 = table(&inside)?.iter().map(|f| f.counts.packets).sum();
        // each connection that is taken out of the table is an event
        let mut flush = CONNTRACK.command("ulogd2")?;
        flush.arg("-F");
        inside.run(flush)?;
        // what it has heard of is written at its end at the latest
        daemon.settle();
        daemon.stop(Signal::SIGTERM)?;
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let found: Vec<Flow> = text.lines().filter_map(record).collect();
        let taken = tracked.stop(wire)?;
        let classes = flows::classes(&found, &rules, loaded);
        let received: u64 = classes.iter().map(|c| c.packets).sum();
        let lost = known.saturating_sub(received);
        let losses = (lost > 0).then(|| StageLoss { stage: "events".into(), packets: lost });
        Ok(Readout {
            classes,
            received,
            flows: found.len() as u64,
            losses: losses.into_iter().collect(),
            ..taken
        })
    }
}

/// `…,orig.ip.protocol=17,…,orig.l4.sport=5000,…`: one direction, since nothing is answered.
fn record(line: &str) -> Option<Flow> {
    let value = |name: &str| line.split(',').find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name).and_then(|v| v.parse::<u64>().ok());
    let port = |name: &str| number(name).unwrap_or(0) as u16;
    let ports = match number("icmp.type") {
        Some(_) => [port("icmp.type"), port("icmp.code")],
        None => [port("orig.l4.sport"), port("orig.l4.dport")],
    };
    Some(Flow {
        addresses: [value("orig.ip.saddr.str")?.parse().ok()?, value("orig.ip.daddr.str")?.parse().ok()?],
        protocol: number("orig.ip.protocol")? as u8,
        ports,
        counts: Counts {
            packets: number("orig.raw.pktcount")?,
            bytes: number("orig.raw.pktlen").unwrap_or(0),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_flows() {
        let line = "udp      17 29 src=10.0.0.1 dst=10.1.0.1 sport=5000 dport=2000 packets=9 bytes=88 [UNREPLIED] \
                    src=10.1.0.1 dst=10.0.0.1 sport=2000 dport=5000 packets=0 bytes=0 mark=0 use=1";
        let found = connection(line);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].protocol, found[0].ports, found[0].counts.packets), (17, [5000, 2000], 9));
        let line = "icmp 1 29 src=10.0.0.1 dst=10.1.0.1 type=8 code=0 id=7 packets=3 bytes=84";
        assert_eq!(connection(line)[0].ports, [8, 0]);
        assert_eq!(connection("conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown."), []);
    }
}
