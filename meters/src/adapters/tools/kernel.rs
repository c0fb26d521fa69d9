//! Meters in the kernel: what was set up in the meter's namespace, how it is read, and how it goes again.

use super::external::Order;
use super::inside::{Inside, Undo};
use super::program::Program;
use crate::meter::{MeterError, Readout, Running, Wire};
use csn::Counts;
use std::collections::BTreeMap;

/// `ip` of iproute2.
pub const IP: Program = Program { name: "ip", package: "iproute2" };

/// Reads the counts of classes.
pub type Reading = Box<dyn Fn(&Inside) -> Result<Readout, MeterError>>;

/// What runs in the kernel. Dropping it takes it away.
pub struct InKernel {
    inside: Inside,
    undo: Undo,
    facts: BTreeMap<String, String>,
    read: Reading,
}

impl InKernel {
    /// What a meter is set up in.
    ///
    /// # Errors
    /// A namespace that can't be held open.
    pub fn new(order: &Order<'_>) -> Result<Self, MeterError> {
        Ok(Self {
            inside: Inside::of(order.job)?,
            undo: Undo::default(),
            facts: BTreeMap::new(),
            read: Box::new(|_| Ok(Readout::default())),
        })
    }

    /// Where commands run.
    pub fn inside(&self) -> &Inside {
        &self.inside
    }

    /// A command to be run at the end.
    pub fn at_end(&mut self, command: std::process::Command) {
        self.undo.with(command);
    }

    /// Something worth recording.
    pub fn fact(&mut self, name: &str, value: String) {
        self.facts.insert(name.into(), value);
    }

    /// It is set up, and read so.
    pub fn running(mut self, read: Reading) -> Box<dyn Running> {
        self.read = read;
        Box::new(self)
    }

    /// Gives the interface the address that packets are sent to, so that the host takes them in. On a tapped link
    /// they are addressed to somebody else, and the kernel drops them before its IP layer.
    ///
    /// # Errors
    /// An address that can't be set.
    pub fn take_in(&mut self, order: &Order<'_>) -> Result<(), MeterError> {
        let (name, link) = (order.job.spec.name.as_str(), order.job.link);
        let set = |address: [u8; 6]| {
            let mut command = IP.command(name)?;
            let text = address.map(|o| format!("{o:02x}")).join(":");
            command.args(["link", "set", "dev", order.job.interface, "address", &text]);
            Ok::<_, MeterError>(command)
        };
        self.inside.run(set(link.traffic[1])?)?;
        self.at_end(set(link.meter)?);
        Ok(())
    }
}

impl Running for InKernel {
    fn pids(&self) -> Vec<u32> {
        vec![]
    }

    fn stop(mut self: Box<Self>, _wire: &dyn Wire) -> Result<Readout, MeterError> {
        let mut readout = (self.read)(&self.inside)?;
        readout.received = readout.classes.iter().map(|c: &Counts| c.packets).sum();
        readout.facts.append(&mut self.facts);
        Ok(readout)
    }
}

impl Drop for InKernel {
    fn drop(&mut self) {
        self.undo.all(&self.inside);
    }
}
