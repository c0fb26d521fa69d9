//! nfdump's programs: `nfcapd` collects what probes export, `nfdump` reads what it and nfpcapd write.

use super::daemon::{Daemon, READY};
use super::external::Order;
use super::flows::Flow;
use super::inside::Inside;
use super::program::Program;
use crate::meter::{Export, MeterError};
use csn::Counts;
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};

/// The collector.
pub const NFCAPD: Program = Program { name: "nfcapd", package: "nfdump" };
/// The reader.
pub const NFDUMP: Program = Program { name: "nfdump", package: "nfdump" };

/// Where it listens, in the meter's namespace.
pub const ADDRESS: &str = "127.0.0.1:9995";
const PORT: u16 = 9995;

/// A collector that runs.
pub struct Collector {
    daemon: Daemon,
    folder: PathBuf,
}

impl Collector {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// A process that does not start or listen.
    pub fn start(order: &Order<'_>) -> Result<Self, MeterError> {
        let job = order.job;
        let name = job.spec.name.as_str();
        let folder = job.folder.join("collected");
        std::fs::create_dir_all(&folder)
            .map_err(|source| MeterError::Io { what: format!("make {}", folder.display()), source })?;
        let mut command = NFCAPD.command(name)?;
        command.arg("-w").arg(&folder).args(["-b", "127.0.0.1", "-p"]).arg(PORT.to_string());
        command.args(["-t", "86400", "-B", "8000000"]);
        let mut daemon = Daemon::start(name, command, job.launch, &job.folder.join("collector.log"))?;
        let pid = daemon.pid();
        let end = format!(":{PORT:04X} ");
        let mut listening = || {
            let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap_or_default();
            Ok(sockets.contains(&end))
        };
        daemon.wait_until("listen", READY, &mut listening)?;
        Ok(Self { daemon, folder })
    }

    /// Ends it and reads what it took.
    ///
    /// # Errors
    /// A collector that does not end, or whose files can't be read.
    pub fn finish(mut self, inside: &Inside) -> Result<(Vec<Flow>, Export), MeterError> {
        self.daemon.stop(Signal::SIGTERM)?;
        let flows = read(inside, &self.folder)?;
        let said = self.daemon.said();
        // a line for each file: Ident: 'none' Flows: 11, Packets: 1387, Bytes: 5, Sequence Errors: 0, Bad Packets: 0
        let sum = |what: &str| -> u64 {
            let number = |l: &str| l.split_once(what)?.1.split([',', ' ']).next()?.parse::<u64>().ok();
            said.lines().filter_map(number).sum()
        };
        let (collected, lost) = (flows.len() as u64, sum("Sequence Errors: "));
        let export = Export { records: collected + lost, collected, lost, ..Export::default() };
        Ok((flows, export))
    }
}

/// The flows in a folder of nfdump files.
///
/// # Errors
/// Files that nfdump can't read.
pub fn read(inside: &Inside, folder: &Path) -> Result<Vec<Flow>, MeterError> {
    let mut command = NFDUMP.command(inside.meter())?;
    command.arg("-R").arg(folder).args(["-q", "-N", "-6", "-n", "0"]);
    command.args(["-o", "fmt:%pr,%sa,%da,%sp,%dp,%pkt,%byt"]);
    let text = inside.run(command)?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("No matching"));
    lines.map(|l| flow(l).ok_or_else(|| inside.failed(format!("nfdump wrote `{l}`")))).collect()
}

/// `17 , 10.0.0.1, 10.1.0.1, 5000, 2000, 100, 8800`. The destination port of ICMP is `type.code`.
fn flow(line: &str) -> Option<Flow> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [protocol, source, destination, from, to, packets, bytes] = fields.as_slice() else { return None };
    let ports = match to.split_once('.') {
        Some((kind, code)) => [kind.parse().ok()?, code.parse().ok()?],
        None => [from.parse().ok()?, to.parse().ok()?],
    };
    Some(Flow {
        addresses: [source.parse().ok()?, destination.parse().ok()?],
        protocol: protocol.parse().ok()?,
        ports,
        counts: Counts { packets: packets.parse().ok()?, bytes: bytes.parse().ok()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_nfdump_are_flows() {
        let udp = flow("17   ,        10.0.0.1,        10.1.0.1,  5000,  2000,     100,    8800").unwrap();
        assert_eq!((udp.protocol, udp.ports, udp.counts.packets), (17, [5000, 2000], 100));
        let icmp = flow("1,10.0.0.1,10.1.0.1,0,8.0,3,252").unwrap();
        assert_eq!(icmp.ports, [8, 0]);
        assert_eq!(flow("Summary: total flows: 1"), None);
    }
}
