//! The process that holds a lab: it makes the namespaces and the interfaces, answers what these have counted, and
//! takes all with it when its input ends.
//!
//! It is a process of its own because entering a user namespace needs one without threads, and because it can
//! clean up when the run itself is killed.

use super::netlink::{End, LinkCounters, Netlink};
use super::{GENERATOR_INTERFACE, GENERATOR_MAC, METER_INTERFACE, METER_MAC, named, napi, settings};
use generator::bpf::OnReceive;
use nix::sched::{CloneFlags, setns, unshare};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// What a lab is to be: the first line that the holder reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Whether a user namespace gives the rights for the rest.
    pub user_namespace: bool,
    /// Names for the generator's and the meter's network namespace.
    pub names: Option<[String; 2]>,
    /// Largest packet of the interfaces in bytes.
    pub mtu: u32,
    /// Whether the meter's end is to poll, which frames of XDP programs need.
    #[serde(default)]
    pub polling: bool,
}

/// What the holder answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Answer {
    /// The lab stands.
    Ready {
        /// The holder's descriptors of the generator's and the meter's network namespace.
        namespaces: [i32; 2],
        /// Whether both namespaces have names.
        named: bool,
        /// Whether receive work stays with the sender.
        steering_off: bool,
        /// What could not be had.
        notes: Vec<String>,
    },
    /// What the interfaces have counted.
    Counters(Counters),
    /// The lab can't be made.
    Error {
        /// What was tried.
        step: String,
        /// The system's answer.
        reason: String,
        /// Its number, where it has one.
        code: Option<i32>,
    },
}

/// What both interfaces of a lab have counted since they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The generator's end.
    pub generator: LinkCounters,
    /// The meter's end.
    pub meter: LinkCounters,
}

/// What went wrong, and where.
type Failure = (&'static str, io::Error);

/// Attaches what was tried to an error.
trait During<T> {
    fn during(self, step: &'static str) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|e| (step, e.into()))
    }
}

/// What the holder holds.
struct Held {
    namespaces: [File; 2],
    sockets: [Netlink; 2],
    names: Vec<named::Name>,
    notes: Vec<String>,
    _polling: Option<OnReceive>,
}

/// Runs the holder on standard input and output until the input ends.
///
/// # Errors
/// Pipes that fail, or an order that can't be read.
pub fn hold() -> io::Result<()> {
    let mut lines = io::stdin().lines();
    let Some(line) = lines.next() else {
        return Ok(());
    };
    let order: Order = serde_json::from_str(&line?)?;
    let mut held = match build(&order) {
        Ok(held) => held,
        Err((step, error)) => {
            return say(&Answer::Error {
                step: step.into(),
                reason: error.to_string(),
                code: error.raw_os_error(),
            });
        }
    };
    say(&Answer::Ready {
        namespaces: [held.namespaces[0].as_raw_fd(), held.namespaces[1].as_raw_fd()],
        named: held.names.len() == 2,
        steering_off: settings::receive_steering_is_off(),
        notes: std::mem::take(&mut held.notes),
    })?;
    for line in lines {
        // any line is the same question
        let _ = line?;
        let [generator, meter] = &mut held.sockets;
        say(&Answer::Counters(Counters {
            generator: generator.link(GENERATOR_INTERFACE)?.counters,
            meter: meter.link(METER_INTERFACE)?.counters,
        }))?;
    }
    Ok(())
}

/// Writes one line.
fn say(answer: &Answer) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Makes the lab. Ends in the meter's namespace.
fn build(order: &Order) -> Result<Held, Failure> {
    let _ = std::env::set_current_dir("/");
    if order.user_namespace {
        enter_user_namespace()?;
    }
    let mut names = vec![];
    let mut notes = vec![];
    let generator = new_network(order, 0, &mut names, &mut notes)?;
    let meter = new_network(order, 1, &mut names, &mut notes)?;
    let (generator_namespace, mut generator_socket) = generator;
    let (meter_namespace, mut meter_socket) = meter;
    let near = End { name: METER_INTERFACE, mac: METER_MAC };
    let far = End { name: GENERATOR_INTERFACE, mac: GENERATOR_MAC };
    meter_socket
        .create_veth(&near, &far, generator_namespace.as_fd(), order.mtu)
        .during("make a veth pair (kernel module veth)")?;
    let mut left_on = settings::switch_offloads_off(METER_INTERFACE);
    setns(&generator_namespace, CloneFlags::CLONE_NEWNET).during("enter the generator's namespace")?;
    left_on.extend(settings::switch_offloads_off(GENERATOR_INTERFACE));
    setns(&meter_namespace, CloneFlags::CLONE_NEWNET).during("enter the meter's namespace")?;
    if !left_on.is_empty() {
        notes.push(format!("offloads that could not be switched off: {}", left_on.join(", ")));
    }
    // the meter's end first: the generator's then has its carrier, and its queue, from the start
    for (socket, name) in [(&mut meter_socket, METER_INTERFACE), (&mut generator_socket, GENERATOR_INTERFACE)]
    {
        socket.set_up("lo").during("switch the loopback interface on")?;
        socket.set_up(name).during("switch an interface on")?;
    }
    for (socket, name) in [(&mut meter_socket, METER_INTERFACE), (&mut generator_socket, GENERATOR_INTERFACE)]
    {
        wait_until_running(socket, name)?;
    }
    let polling = order.polling.then(|| napi::switch_on(METER_INTERFACE)).and_then(|r| {
        r.map_err(|e| notes.push(format!("{METER_INTERFACE} takes no frames of XDP programs: {e}"))).ok()
    });
    Ok(Held {
        namespaces: [generator_namespace, meter_namespace],
        sockets: [generator_socket, meter_socket],
        names,
        notes,
        _polling: polling,
    })
}

/// Enters a user namespace in which the caller is root.
fn enter_user_namespace() -> Result<(), Failure> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).during("make a user namespace")?;
    // without this an ordinary user may not map groups
    fs::write("/proc/self/setgroups", "deny").during("give up setgroups in the user namespace")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).during("map the user into the namespace")?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).during("map the group into the namespace")
}

/// Makes a quiet network namespace, enters it, and names it where that is asked for and allowed.
fn new_network(
    order: &Order,
    side: usize,
    names: &mut Vec<named::Name>,
    notes: &mut Vec<String>,
) -> Result<(File, Netlink), Failure> {
    unshare(CloneFlags::CLONE_NEWNET).during("make a network namespace")?;
    settings::silence_ipv6().during("switch IPv6 off in a namespace")?;
    if let Some(wanted) = &order.names {
        match named::Name::give(&wanted[side]) {
            Ok(name) => names.push(name),
            Err(e) => notes.push(format!("the namespace has no name {}: {e}", wanted[side])),
        }
    }
    let namespace = File::open("/proc/self/ns/net").during("open a network namespace")?;
    Ok((namespace, Netlink::open().during("open a netlink socket")?))
}

/// Waits until an interface can pass packets: the kernel switches its queue on a little after the interface.
fn wait_until_running(socket: &mut Netlink, name: &str) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(5);
    while !socket.link(name).during("look at an interface")?.running {
        if Instant::now() > end {
            return Err(("wait for an interface", io::ErrorKind::TimedOut.into()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
