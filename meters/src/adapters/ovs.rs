//! Open vSwitch with its switch in user space, a database of its own, and a cookie for each class.

use super::tools::daemon::{Daemon, READY};
use super::tools::{BUFFER, External, Order, Probe, Program, by_class, unlimited, write};
use crate::meter::{MeterError, Place, Readout, Running, Tells, Wire};
use csn::backends::Options;
use csn::{ClassId, Counts, MeterSpec};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// What a new database is made from.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const BRIDGE: &str = "csn-br0";

const fn program(name: &'static str) -> Program {
    Program { name, package: "openvswitch-switch" }
}

const VSWITCHD: Program = program("ovs-vswitchd");
const SERVER: Program = program("ovsdb-server");
const DATABASE: Program = program("ovsdb-tool");
const VSCTL: Program = program("ovs-vsctl");
const OFCTL: Program = program("ovs-ofctl");
const APPCTL: Program = program("ovs-appctl");

/// The meter `ovs`.
pub static OVS: External = External {
    name: "ovs",
    summary: "Open vSwitch in user space, flows with a cookie for each class",
    options: &[BUFFER],
    programs: &[VSWITCHD, SERVER, DATABASE, VSCTL, OFCTL, APPCTL],
    version: &["--version"],
    place: Place::Process,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/ovs.md"),
    backend: Some(|_: &MeterSpec| Ok(("ovs", Options::default()))),
    limits: |spec, rules| {
        if Path::new(SCHEMA).is_file() {
            return unlimited(spec, rules);
        }
        Err(MeterError::Unavailable {
            meter: "ovs".into(),
            reason: format!("{SCHEMA} is not there"),
            cure: "sudo apt-get install openvswitch-switch".into(),
        })
    },
    start,
};

/// A command that keeps all files in the meter's folder, apart from a switch of the machine.
fn tool(program: &Program, folder: &Path) -> Result<Command, MeterError> {
    let mut command = program.command("ovs")?;
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        command.env(variable, folder);
    }
    Ok(command)
}

fn with(program: &Program, folder: &Path, words: &[&str]) -> Result<Command, MeterError> {
    let mut command = tool(program, folder)?;
    command.args(words);
    Ok(command)
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let job = order.job;
    // sockets have short names: those of a run's folders may be too long
    let short = ShortFolder::new()?;
    let folder = short.0.as_path();
    let at = |name: &str| folder.join(name).display().to_string();
    write(&job.folder.join("rules.flows"), &order.rules.artefact)?;
    let inside = super::tools::inside::Inside::of(job)?;
    inside.run(with(&DATABASE, folder, &["create", &at("conf.db"), SCHEMA])?)?;
    let remote = format!("--remote=punix:{}", at("db.sock"));
    let control = format!("--unixctl={}", at("db.ctl"));
    let server = with(&SERVER, folder, &[&remote, &control, &at("conf.db")])?;
    let mut database = Daemon::start("ovs", server, job.launch, &job.folder.join("database.log"))?;
    let ready = |name: &str| {
        let path = folder.join(name);
        move || Ok(path.exists())
    };
    database.wait_until("open its socket", READY, &mut ready("db.sock"))?;
    let remote = format!("unix:{}", at("db.sock"));
    let db = format!("--db={remote}");
    let configure =
        |words: &[&str]| inside.run(with(&VSCTL, folder, &[&[db.as_str(), "--timeout=60"], words].concat())?);
    configure(&["--no-wait", "init"])?;
    let add = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure"];
    let port = ["--", "add-port", BRIDGE, job.interface];
    configure(&[&["--no-wait"], &add[..], &port].concat())?;
    let control = format!("--unixctl={}", at("switch.ctl"));
    let switch = with(&VSWITCHD, folder, &["--disable-system", "-vconsole:warn", &control, &remote])?;
    let mut probe = Probe::start(order, switch)?;
    let bridge = format!("unix:{}", at(&format!("{BRIDGE}.mgmt")));
    probe.daemon.wait_until("open its bridge", READY, &mut ready(&format!("{BRIDGE}.mgmt")))?;
    inside.run(with(&OFCTL, folder, &["set-frags", &bridge, "nx-match"])?)?;
    let flows = job.folder.join("rules.flows").display().to_string();
    inside.run(with(&OFCTL, folder, &["add-flows", &bridge, &flows])?)?;
    let listed = inside.run(with(&OFCTL, folder, &["dump-flows", &bridge])?)?;
    let live = listed.lines().filter(|l| l.contains("cookie=")).count();
    let wanted = order.rules.artefact.lines().filter(|l| l.starts_with("cookie=")).count();
    if live != wanted {
        return Err(inside.failed(format!("{live} of {wanted} flows are listed by ovs-ofctl")));
    }
    Ok(Box::new(Switch {
        probe,
        _database: database,
        folder: short,
        labels: order.rules.labels.clone(),
        live,
    }))
}

/// A folder with a short path that goes when it is dropped.
struct ShortFolder(std::path::PathBuf);

impl ShortFolder {
    fn new() -> Result<Self, MeterError> {
        let path = std::env::temp_dir().join(format!("csn-ovs-{}", std::process::id()));
        // what a killed run with the same number left
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)
            .map_err(|source| MeterError::Io { what: format!("make {}", path.display()), source })?;
        Ok(Self(path))
    }
}

impl Drop for ShortFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The switch, its database and what its cookies mean.
struct Switch {
    probe: Probe,
    _database: Daemon,
    folder: ShortFolder,
    labels: Vec<(String, ClassId)>,
    live: usize,
}

impl Running for Switch {
    fn pids(&self) -> Vec<u32> {
        self.probe.daemon.family()
    }

    fn stop(self: Box<Self>, _wire: &dyn Wire) -> Result<Readout, MeterError> {
        let Self { probe, folder, labels, live, .. } = *self;
        let (inside, folder) = (&probe.inside, folder.0.as_path());
        let statistics = probe.statistics();
        // what its cache has counted comes to the flows with a purge
        let control = folder.join("switch.ctl").display().to_string();
        inside.run(with(&APPCTL, folder, &["-t", &control, "revalidator/purge"])?)?;
        let bridge = format!("unix:{}", folder.join(format!("{BRIDGE}.mgmt")).display());
        let text = inside.run(with(&OFCTL, folder, &["dump-flows", &bridge])?)?;
        let counted = by_cookie(&text);
        let classes = by_class(&labels, probe.rules.classes.len(), |l| counted.get(l).copied());
        let mut readout = probe.readout(classes, statistics);
        readout.facts.insert("rules live".into(), format!("{live} flows, listed by ovs-ofctl"));
        Ok(readout)
    }
}

/// ` cookie=0x1, duration=…, n_packets=3, n_bytes=84, …`.
fn by_cookie(text: &str) -> HashMap<String, Counts> {
    let mut out: HashMap<String, Counts> = HashMap::new();
    for line in text.lines() {
        let value = |name: &str| line.split([' ', ',']).find_map(|w| w.strip_prefix(name));
        let number = |name: &str| value(name).and_then(|v| v.parse().ok()).unwrap_or(0);
        if let Some(cookie) = value("cookie=") {
            let counts = Counts { packets: number("n_packets="), bytes: number("n_bytes=") };
            *out.entry(cookie.to_owned()).or_default() += counts;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_summed() {
        let text = "NXST_FLOW reply:\n cookie=0x1, duration=1s, table=0, n_packets=3, n_bytes=84, priority=9,udp\n \
                    cookie=0x1, duration=1s, table=0, n_packets=2, n_bytes=56, priority=8,tcp actions=drop\n";
        assert_eq!(by_cookie(text), [("0x1".to_owned(), Counts { packets: 5, bytes: 140 })].into());
    }
}
