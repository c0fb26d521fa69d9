//! The lab: two network namespaces with a veth pair between them, one for the generator and one for the meter.
//!
//! ```text
//! controller ──lines──► holder (user namespace where there is no root)
//!     │                   ├─ generator's network namespace: gen0 ┐
//!     │                   └─ meter's network namespace:   meter0 ┘ veth pair
//!     ├─ generator on the first CPU, in the first namespace
//!     └─ meter     on the last CPU,  in the second
//! ```
//!
//! A sent packet is received by softirq work at the end of the sending call, on the sender's CPU. So the meter's process
//! does not pay for it, and the backlog queue in between hardly fills: its limit (`net.core.netdev_max_backlog`), which
//! is the whole machine's, is left alone. What it would drop shows as dropped by the interface.
//!
//! Namespaces without a name live as long as the processes in them, and these end with the run, whatever ends it.
//! Named ones (root) are removed by the holder when the run ends or is killed; should the holder be killed too, the
//! next lab removes them.

mod helper;
pub mod holder;
pub mod named;
mod napi;
pub mod netlink;
mod place;
mod settings;
mod wire;

pub use helper::Helper;
pub use holder::Counters;
pub use netlink::LinkCounters;
pub use place::{Pinned, Place, allowed_cpus};
pub use wire::Wire;

use holder::{Answer, Order};
use reports::record;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The generator's end of the pair, in its namespace.
pub const GENERATOR_INTERFACE: &str = "gen0";
/// The meter's end of the pair, in its namespace.
pub const METER_INTERFACE: &str = "meter0";
/// Ethernet address of the generator's end.
pub const GENERATOR_MAC: [u8; 6] = [0x02, 0x63, 0x73, 0x6e, 0x00, 0x01];
/// Ethernet address of the meter's end.
pub const METER_MAC: [u8; 6] = [0x02, 0x63, 0x73, 0x6e, 0x00, 0x02];
/// Ethernet addresses of traffic, source and destination: neither end's own, so that the receiving host drops
/// frames early, as it does on a tapped link.
pub const TRAFFIC_MACS: [[u8; 6]; 2] =
    [[0x02, 0x63, 0x73, 0x6e, 0x01, 0x01], [0x02, 0x63, 0x73, 0x6e, 0x01, 0x02]];

/// How long the holder may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a lab is to be made.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// The csnbench program; `/proc/self/exe` is the one that runs.
    pub program: PathBuf,
    /// Which namespaces.
    pub namespaces: Namespaces,
    /// Largest packet of the interfaces in bytes.
    pub mtu: u32,
    /// What puts packets on the generator's interface: a name in [`generator::tx::TABLE`].
    pub transmitter: String,
}

impl Default for LabOptions {
    fn default() -> Self {
        // 65535 is what a veth end takes at most: every IP packet passes
        Self {
            program: "/proc/self/exe".into(),
            namespaces: Namespaces::Auto,
            mtu: 65_535,
            transmitter: "packet".into(),
        }
    }
}

/// Which namespaces hold a lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// Named ones for root, a user namespace for everybody else and where root may not make others.
    #[default]
    Auto,
    /// A user namespace.
    User,
    /// Named network namespaces; needs root.
    Named,
}

/// Why there is no lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The system does not allow it.
    #[error("no lab can be made here: could not {step}: {reason}\n  cure: {cure}")]
    Refused {
        /// What was tried.
        step: String,
        /// The system's answer.
        reason: String,
        /// What would mend it.
        cure: String,
    },
    /// The process that holds the lab failed.
    #[error("the lab failed: {what}: {source}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// A lab. It is bound to the thread that made it, because its processes end with that thread. Dropping it removes
/// everything.
pub struct Lab {
    holder: Helper,
    generator: Place,
    meter: Place,
    names: Option<[String; 2]>,
    facts: record::Lab,
    removed: Vec<String>,
    transmitter: String,
    thread: PhantomData<*const ()>,
}

impl Lab {
    /// Makes a lab.
    ///
    /// # Errors
    /// [`LabError::Refused`] with the cure where the system does not allow it.
    pub fn create(options: &LabOptions) -> Result<Self, LabError> {
        let removed = named::remove_stale();
        let root = nix::unistd::geteuid().is_root();
        let first = match options.namespaces {
            Namespaces::User => true,
            Namespaces::Named => false,
            Namespaces::Auto => !root,
        };
        let mut lab = match Self::create_as(options, first) {
            // root without rights, as in many containers: a user namespace may still be had
            Err(LabError::Refused { .. }) if options.namespaces == Namespaces::Auto && !first => {
                Self::create_as(options, true)?
            }
            other => other?,
        };
        lab.removed = removed;
        Ok(lab)
    }

    /// Starts the holder and opens what it made.
    fn create_as(options: &LabOptions, user_namespace: bool) -> Result<Self, LabError> {
        let failed = |what| move |source| LabError::Failed { what, source };
        let me = std::process::id();
        let names =
            (!user_namespace).then(|| named::start_time(me).map(|start| named::names(me, start))).flatten();
        let mut holder =
            start_holder(&options.program, user_namespace).map_err(failed("start its holder"))?;
        let transmitter = options.transmitter.clone();
        let polling = ["live", generator::tx::AUTO].contains(&transmitter.as_str());
        let order = Order { user_namespace, names: names.clone(), mtu: options.mtu, polling };
        holder.send(&order).map_err(failed("speak to its holder"))?;
        let answer = holder.receive(PATIENCE, &mut || Ok(())).map_err(failed("hear from its holder"))?;
        let (namespaces, named, steering_off, notes) = match answer {
            Answer::Ready { namespaces, named, steering_off, notes } => {
                (namespaces, named, steering_off, notes)
            }
            Answer::Error { step, reason, code } => {
                let cure = cure(code);
                return Err(LabError::Refused { step, reason, cure });
            }
            Answer::Counters(_) => {
                return Err(failed("understand its holder")(io::ErrorKind::InvalidData.into()));
            }
        };
        let pid = holder.pid();
        let open =
            |what: String| File::open(format!("/proc/{pid}/{what}")).map_err(failed("open a namespace"));
        let user = || user_namespace.then(|| open("ns/user".into())).transpose();
        let [generator_cpu, meter_cpu] = choose_cpus(&allowed_cpus());
        let generator =
            Place { user: user()?, network: open(format!("fd/{}", namespaces[0]))?, cpu: generator_cpu };
        let meter = Place { user: user()?, network: open(format!("fd/{}", namespaces[1]))?, cpu: meter_cpu };
        let facts = record::Lab {
            kind: kind(user_namespace, named).into(),
            generator_cpu,
            meter_cpu,
            receive_work: if steering_off { "sender" } else { "unknown" }.into(),
            notes: [notes, separation_notes(steering_off, generator_cpu == meter_cpu)].concat(),
        };
        let names = names.filter(|_| named);
        Ok(Self { holder, generator, meter, names, facts, removed: vec![], transmitter, thread: PhantomData })
    }

    /// How the lab is built and what could not be separated.
    pub fn facts(&self) -> &record::Lab {
        &self.facts
    }

    /// Names of namespaces that killed runs had left and that were removed before this lab was made.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// What puts packets on the generator's interface.
    pub fn transmitter(&self) -> &str {
        &self.transmitter
    }

    /// Where the generator belongs.
    pub fn generator(&self) -> &Place {
        &self.generator
    }

    /// Where the meter belongs.
    pub fn meter(&self) -> &Place {
        &self.meter
    }

    /// What both interfaces have counted since the lab was made.
    ///
    /// # Errors
    /// The holder is gone.
    pub fn counters(&mut self) -> Result<Counters, LabError> {
        let failed = |source| LabError::Failed { what: "read the interfaces' counters", source };
        self.holder.send(&"counters").map_err(failed)?;
        match self.holder.receive(PATIENCE, &mut || Ok(())).map_err(failed)? {
            Answer::Counters(counters) => Ok(counters),
            _ => Err(failed(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(names) = &self.names {
            // the holder removes them at the end of its input, which comes after this; a killed one can't
            named::remove_names(names);
        }
    }
}

/// Starts the process that holds the lab.
fn start_holder(program: &Path, user_namespace: bool) -> io::Result<Helper> {
    let mut command = Command::new(program);
    command.args(["worker", "lab"]);
    Helper::pipes(&mut command);
    let parent = std::process::id();
    // SAFETY: between fork and exec only system calls are made and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            place::own_session();
            // a holder of named namespaces must outlive a killed run, to remove the names
            if user_namespace { place::end_with(parent) } else { Ok(()) }
        });
    }
    Helper::new(command.spawn()?, PATIENCE)
}

/// The CPUs of generator and meter: the first and the last that may be used.
fn choose_cpus(allowed: &[u32]) -> [Option<u32>; 2] {
    [allowed.first().copied(), allowed.last().copied()]
}

/// What the lab is called in records.
fn kind(user_namespace: bool, named: bool) -> &'static str {
    match (user_namespace, named) {
        (true, _) => "user namespace",
        (false, true) => "named namespaces",
        (false, false) => "network namespaces",
    }
}

/// What a reader must know about who pays for what.
fn separation_notes(steering_off: bool, one_cpu: bool) -> Vec<String> {
    let mut notes = vec![];
    if !steering_off {
        notes.push(
            "receive packet steering is on (net.core.rps_default_mask): who pays for receiving is not known"
                .into(),
        );
    }
    if one_cpu {
        notes.push("generator and meter share one CPU: they take time from each other".into());
    }
    notes
}

/// What would allow a lab where the kernel refused one.
fn cure(code: Option<i32>) -> String {
    let setting =
        |path: &str| std::fs::read_to_string(path).map(|s| s.trim().to_string()).unwrap_or_default();
    if setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        return "sudo sysctl kernel.unprivileged_userns_clone=1, or run csnbench as root".into();
    }
    if setting("/proc/sys/user/max_user_namespaces") == "0" {
        return "sudo sysctl user.max_user_namespaces=15000, or run csnbench as root".into();
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run csnbench as root".into();
    }
    match code {
        Some(libc::EOPNOTSUPP | libc::ENOENT) => "sudo modprobe veth".into(),
        _ => {
            "run csnbench as root; in a container, start that with --privileged, or with --cap-add SYS_ADMIN \
              --cap-add NET_ADMIN --security-opt seccomp=unconfined"
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_and_meter_get_the_outermost_cpus() {
        assert_eq!(choose_cpus(&[0, 1, 2, 3]), [Some(0), Some(3)]);
        assert_eq!(choose_cpus(&[2]), [Some(2), Some(2)]);
        assert_eq!(choose_cpus(&[]), [None, None]);
    }

    #[test]
    fn a_shared_cpu_and_a_moved_softirq_are_told() {
        assert!(separation_notes(true, true).iter().any(|n| n.contains("share one CPU")));
        assert!(separation_notes(false, false).iter().any(|n| n.contains("rps_default_mask")));
    }
}
