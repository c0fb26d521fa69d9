//! NetFlow v5: IPv4 flows in records that never change.

use super::attributes::Constants;
use super::target::Target;
use super::{Exported, now};
use crate::flows::Flow;
use csn::{Field, Nanos};

/// Records of a message at most.
const MOST: usize = 30;

/// Writes messages and sends them.
#[derive(Debug)]
pub struct Version5 {
    target: Target,
    start: Nanos,
    sequence: u32,
    records: Vec<Flow>,
}

impl Version5 {
    /// Writes messages of one engine.
    pub fn new(target: Target, start: Nanos) -> Self {
        Self { target, start, sequence: 0, records: Vec::with_capacity(MOST) }
    }

    /// Adds a flow, and sends the message when it is full. What is not IPv4 can't be said.
    pub fn flow(&mut self, flow: &Flow, constants: &Constants, exported: &mut Exported) {
        let v4 = |f| flow.key.get(f).is_some_and(|v| v.family == 4);
        if !v4(Field::SrcIp) || !v4(Field::DstIp) {
            exported.not_sent(flow);
            return;
        }
        let mut flow = flow.clone();
        if flow.key.get(Field::Interface).is_none() {
            flow.key.set_number(Field::Interface, u128::from(constants.point & 0xffff));
        }
        self.records.push(flow);
        if self.records.len() == MOST {
            self.flush(exported);
        }
    }

    /// Sends what is pending.
    pub fn flush(&mut self, exported: &mut Exported) {
        if self.records.is_empty() {
            return;
        }
        let now = now();
        let mut message = Vec::with_capacity(24 + 48 * MOST);
        message.extend(5u16.to_be_bytes());
        message.extend((self.records.len() as u16).to_be_bytes());
        message.extend(self.since_start(now).to_be_bytes());
        message.extend(((now.0 / 1_000_000_000) as u32).to_be_bytes());
        message.extend(((now.0 % 1_000_000_000) as u32).to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        // engine and sampling: none
        message.extend([0; 4]);
        for flow in &self.records {
            message.extend(self.record(flow));
        }
        let n = self.records.len() as u32;
        self.sequence = self.sequence.wrapping_add(n);
        if self.target.send(&message, n) {
            exported.messages += 1;
            exported.flows += u64::from(n);
            exported.octets += message.len() as u64;
        } else {
            self.records.iter().for_each(|f| exported.not_sent(f));
        }
        self.records.clear();
    }

    fn since_start(&self, time: Nanos) -> u32 {
        // before the start, as times of a capture are, the number runs over, and readers know how to take that
        ((time.0 as i64 - self.start.0 as i64) / 1_000_000) as u32
    }

    fn record(&self, flow: &Flow) -> [u8; 48] {
        let number = |f| flow.key.get(f).map_or(0, |v| v.bits as u32);
        let time = |t: Option<Nanos>| t.map_or(0, |t| self.since_start(t));
        // type and code of ICMP stand in the place of the port
        let port = number(Field::DstPort) | number(Field::IcmpType) << 8 | number(Field::IcmpCode);
        let flags = flow.tcp_flags.map_or_else(|| number(Field::TcpFlags), u32::from);
        let mut r = [0; 48];
        let mut put = |at: usize, octets: &[u8]| r[at..at + octets.len()].copy_from_slice(octets);
        put(0, &number(Field::SrcIp).to_be_bytes());
        put(4, &number(Field::DstIp).to_be_bytes());
        put(12, &(number(Field::Interface) as u16).to_be_bytes());
        put(16, &u32::try_from(flow.packets).unwrap_or(u32::MAX).to_be_bytes());
        // where the meter counts octets of frames only, there is no other place for them
        let octets = if flow.octets > 0 { flow.octets } else { flow.frame_octets.unwrap_or(0) };
        put(20, &u32::try_from(octets).unwrap_or(u32::MAX).to_be_bytes());
        put(24, &time(flow.first).to_be_bytes());
        put(28, &time(flow.last).to_be_bytes());
        put(32, &(number(Field::SrcPort) as u16).to_be_bytes());
        put(34, &(port as u16).to_be_bytes());
        put(37, &[flags as u8, number(Field::Proto) as u8, number(Field::Tos) as u8]);
        r
    }
}
