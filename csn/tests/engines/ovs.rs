//! Open vSwitch's userspace switch, with ports that take frames over the control socket: no interface, no rights.

use crate::agree::{Engine, Job, backend};
use crate::network::installed;
use crate::tcpdump::Folder;
use csn::Field;
use csn::backends::Backend;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a new database is made from.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// Frames of one request: a port keeps a hundred.
const FRAMES: usize = 50;
/// Ports, since the switch takes one frame of each in a round.
const PORTS: usize = 30;

/// The switch, started for the first rule set.
#[derive(Default)]
pub struct Ovs {
    switch: Option<Switch>,
}

impl Engine for Ovs {
    fn name(&self) -> String {
        "Open vSwitch".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("ovs")
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    /// Each mask is a table of its own to the switch, and ranges make many masks.
    fn most_rules(&self) -> usize {
        30
    }

    fn missing(&self) -> Option<String> {
        let package = "openvswitch-switch";
        ["ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl"]
            .iter()
            .find_map(|p| installed(p, package))
            .or_else(|| {
                let found = std::path::Path::new(SCHEMA).is_file();
                (!found).then(|| format!("{SCHEMA} is not there (apt-get install {package})"))
            })
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let switch = self.switch.get_or_insert_with(Switch::start);
        switch.load(&made.artefact);
        switch.receive(frames);
        let counted = switch.packets_by_cookie();
        let mut out = vec![None; rules.classes.len()];
        for (label, class) in &made.labels {
            out[class.index()] = counted.get(label).copied();
        }
        // a class without flows counts nothing
        out.into_iter().map(|n| n.or(Some(0))).collect()
    }
}

/// A running switch with the bridge `br0` and its ports.
struct Switch {
    vswitchd: Child,
    database: Child,
    folder: Folder,
}

impl Switch {
    fn start() -> Self {
        let folder = Folder::new();
        let path = |name: &str| folder.0.join(name);
        run(tool(&folder, "ovsdb-tool").arg("create").arg(path("conf.db")).arg(SCHEMA));
        let database = daemon(
            tool(&folder, "ovsdb-server")
                .arg(format!("--remote=punix:{}", path("db.sock").display()))
                .arg(format!("--unixctl={}", path("db.ctl").display()))
                .arg(path("conf.db")),
            path("db.sock"),
        );
        let remote = format!("unix:{}", path("db.sock").display());
        let configure = |words: &str| {
            let mut command = tool(&folder, "ovs-vsctl");
            run(command.arg(format!("--db={remote}")).arg("--timeout=60").args(words.split(' ')));
        };
        configure("--no-wait init");
        let vswitchd = daemon(
            tool(&folder, "ovs-vswitchd")
                .args(["--enable-dummy", "--disable-system", "-vconsole:off"])
                .arg(format!("--unixctl={}", path("switch.ctl").display()))
                .arg(&remote),
            path("switch.ctl"),
        );
        let ports: String =
            (0..PORTS).map(|p| format!(" -- add-port br0 p{p} -- set interface p{p} type=dummy")).collect();
        configure(&format!("add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure{ports}"));
        let switch = Self { vswitchd, database, folder };
        run(switch.flows("set-frags").arg("nx-match"));
        switch
    }

    /// `ovs-ofctl` with a command for the bridge.
    fn flows(&self, command: &str) -> Command {
        let mut out = tool(&self.folder, "ovs-ofctl");
        out.arg(command).arg(format!("unix:{}", self.folder.0.join("br0.mgmt").display()));
        out
    }

    /// Puts these flows in place of all others.
    fn load(&self, text: &str) {
        let file = self.folder.0.join("flows");
        std::fs::write(&file, text).expect("the flows can be written");
        run(&mut self.flows("del-flows"));
        run(self.flows("add-flows").arg(file));
    }

    /// Lets the ports receive the frames.
    fn receive(&self, frames: &[Vec<u8>]) {
        let mut control =
            UnixStream::connect(self.folder.0.join("switch.ctl")).expect("the switch has its socket");
        let mut wanted = processed(&mut control);
        for some in frames.chunks(FRAMES * PORTS) {
            // all requests before the first answer: the switch then wakes up once
            for (port, some) in some.chunks(FRAMES).enumerate() {
                let hex = |f: &Vec<u8>| f.iter().map(|o| format!("{o:02x}")).collect::<String>();
                let parameters: String = some.iter().map(|f| format!(",\"{}\"", hex(f))).collect();
                send(&mut control, "netdev-dummy/receive", &format!("\"p{port}\"{parameters}"));
            }
            some.chunks(FRAMES).for_each(|_| drop(answer(&mut control)));
            wanted += some.len() as u64;
            let start = Instant::now();
            while processed(&mut control) < wanted {
                assert!(start.elapsed() < Duration::from_secs(30), "the switch takes no frames");
                std::thread::sleep(Duration::from_millis(2));
            }
            // counts of cached flows come with a purge; and few of them are found faster than many
            request(&mut control, "revalidator/purge", "");
        }
    }

    fn packets_by_cookie(&self) -> HashMap<String, u64> {
        let mut out = HashMap::new();
        for line in run(&mut self.flows("dump-flows")).lines() {
            let value = |name: &str| line.split([' ', ',']).find_map(|w| w.strip_prefix(name));
            if let (Some(cookie), Some(packets)) = (value("cookie="), value("n_packets=")) {
                *out.entry(cookie.to_owned()).or_default() += packets.parse::<u64>().expect("a number");
            }
        }
        out
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        for child in [&mut self.vswitchd, &mut self.database] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command of Open vSwitch that keeps its files in the folder.
fn tool(folder: &Folder, name: &str) -> Command {
    let mut out = Command::new(name);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
        out.env(variable, &folder.0);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    out.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    out
}

fn run(command: &mut Command) -> String {
    let answer = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

/// Starts a daemon, which is ready when its socket is there.
fn daemon(command: &mut Command, socket: PathBuf) -> Child {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let start = Instant::now();
    while !socket.exists() {
        let ended = child.try_wait().expect("it is a child");
        assert!(ended.is_none() && start.elapsed() < Duration::from_secs(30), "{command:?}: {ended:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// One JSON-RPC request and its answer.
fn request(control: &mut UnixStream, method: &str, parameters: &str) -> String {
    send(control, method, parameters);
    answer(control)
}

fn send(control: &mut UnixStream, method: &str, parameters: &str) {
    let text = format!("{{\"id\":0,\"method\":\"{method}\",\"params\":[{parameters}]}}");
    control.write_all(text.as_bytes()).expect("the switch listens");
}

/// The answer to the earliest request that has none yet.
fn answer(control: &mut UnixStream) -> String {
    let (mut answer, mut depth, mut quoted, mut octet) = (Vec::new(), 0, false, [0]);
    loop {
        control.read_exact(&mut octet).expect("the switch answers");
        answer.push(octet[0]);
        match octet[0] {
            b'"' if answer.iter().rev().skip(1).take_while(|o| **o == b'\\').count() % 2 == 0 => {
                quoted = !quoted;
            }
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => depth -= 1,
            _ => (),
        }
        if depth == 0 {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("\"error\":null"), "{answer}");
    answer.into_owned()
}

/// Frames that the switch has looked up.
fn processed(control: &mut UnixStream) -> u64 {
    let answer = request(control, "dpctl/show", "\"-s\",\"dummy@ovs-dummy\"");
    let number = |name: &str| {
        let digits = answer.split([' ', '\\']).find_map(|w| w.strip_prefix(name));
        digits.and_then(|d| d.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name} in {answer}"))
    };
    number("hit:") + number("missed:")
}
