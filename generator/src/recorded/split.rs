//! The packets of captures, sorted to the parts of a mix by the rules themselves.

use super::addresses::{Networks, Seen};
use super::reader::{CaptureError, read_file};
use super::rewrite::Rewrite;
use super::spool::{Lane, Writer};
use crate::job::Job;
use crate::plan::PlanError;
use crate::tx::Slot;
use csn::mix::{Component, Target};
use csn::{Classifier, Field, Key, Layer, Span, ValueSet, packet};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// Flows that are counted; beyond, there are at least as many.
const COUNTED: usize = 1 << 20;

/// The recorded packets of a component, in the order in which they were captured, again and again.
pub struct Recorded {
    lane: Lane,
    /// By the place of the layer in [`Layer::ALL`].
    means: [f64; Layer::ALL.len()],
    /// Octets of the longest frame.
    pub longest: usize,
    /// Different flows, each direction by itself.
    pub flows: usize,
}

impl Recorded {
    /// Writes the next packet and answers its rule.
    #[inline]
    pub fn write(&mut self, slot: &mut Slot) -> Option<u32> {
        match self.lane.next() {
            Ok(Some((number, frame))) => {
                slot.buffer(frame.len())[..frame.len()].copy_from_slice(frame);
                slot.flow = (number >> 32) as u32;
                (number as u32).checked_sub(1)
            }
            // components without packets are refused, and an unnamed file of ours can be read: should the system fail
            // all the same, what is sent then is an empty frame of no rule, and the ledger says so
            Ok(None) | Err(_) => {
                slot.buffer(0);
                None
            }
        }
    }

    /// The mean size of its packets at a layer.
    pub fn mean(&self, layer: Layer) -> f64 {
        Layer::ALL.iter().position(|l| *l == layer).map_or(0.0, |i| self.means[i])
    }
}

/// What is gathered of a component while its packets are sorted.
#[derive(Default)]
struct Gathered {
    packets: u64,
    sums: [u64; Layer::ALL.len()],
    longest: usize,
    flows: HashSet<u64>,
}

/// Sorts the captures that components take their packets from; none for components that make them.
///
/// # Errors
/// A capture that cannot be read, addresses that do not fit, or a component that no packet is for.
pub fn split(
    job: &Job,
    components: &[&Component],
    classifier: &Classifier,
    notes: &mut Vec<String>,
) -> Result<Vec<Option<Recorded>>, PlanError> {
    let mut out: Vec<Option<Recorded>> = components.iter().map(|_| None).collect();
    for (i, component) in components.iter().enumerate() {
        let Some(path) = &component.traffic.from else { continue };
        if out[i].is_some() {
            continue;
        }
        let same = |c: &&Component| c.traffic.from.as_ref() == Some(path);
        let members: Vec<usize> = (i..components.len()).filter(|j| same(&components[*j])).collect();
        let sorted = Sorter { job, components, classifier, members: &members, path }.sort(notes)?;
        for (member, recorded) in members.iter().zip(sorted) {
            out[*member] = Some(recorded);
        }
    }
    Ok(out)
}

/// One capture, and who takes packets from it.
struct Sorter<'a> {
    job: &'a Job,
    components: &'a [&'a Component],
    classifier: &'a Classifier,
    members: &'a [usize],
    path: &'a str,
}

impl Sorter<'_> {
    fn sort(&self, notes: &mut Vec<String>) -> Result<Vec<Recorded>, PlanError> {
        let rewrite = self.rewrite()?;
        let to = self.destinations();
        let mut writer = Writer::new(self.members.len());
        let mut gathered: Vec<Gathered> = self.members.iter().map(|_| Gathered::default()).collect();
        let (mut frame, mut written) = (Vec::new(), Ok(()));
        let (mut unused, mut cut) = (0u64, 0u64);
        let read = read_file(Path::new(self.path), |p| {
            frame.clear();
            frame.extend_from_slice(p.bytes);
            // what was cut off is zeros
            frame.resize(p.length as usize, 0);
            cut += u64::from(p.bytes.len() < frame.len());
            rewrite.apply(&mut frame);
            let key = packet::parse(&frame, None);
            let rule = self.classifier.classify(&key).rule;
            let Some(lane) = to[rule.map_or(0, |r| r + 1)] else {
                unused += 1;
                return;
            };
            let flow = gathered[lane].add(&frame, &key);
            if written.is_ok() {
                written = writer.push(lane, flow << 32 | rule.map_or(0, |r| r as u64 + 1), &frame);
            }
        });
        read.map_err(|e| unreadable(&e, self.span()))?;
        let lanes = written.and_then(|()| writer.finish()).map_err(|e| {
            let reason = format!("packets that are sorted are kept in a temporary file, and {e}");
            PlanError::new(
                self.span(),
                format!("no room for the packets of {:?}", self.path),
                reason,
                "make room",
            )
        })?;
        let total: u64 = gathered.iter().map(|g| g.packets).sum::<u64>() + unused;
        if unused > 0 {
            notes.push(format!(
                "{}: {unused} of {total} packets are for no part of the mix that takes its packets from there",
                self.path
            ));
        }
        if cut > 0 {
            notes.push(format!(
                "{}: {cut} packets were captured in part; what is missing is zeros",
                self.path
            ));
        }
        self.members.iter().zip(lanes).zip(gathered).map(|((m, l), g)| self.recorded(*m, l, g)).collect()
    }

    fn span(&self) -> Span {
        self.components[self.members[0]].span
    }

    /// By rule from 1, 0 for `others`: the place among the members that its packets go to.
    fn destinations(&self) -> Vec<Option<usize>> {
        let rules = &self.job.rules.rules;
        let place = |wanted: &dyn Fn(Target) -> bool| {
            self.members.iter().position(|m| wanted(self.components[*m].target))
        };
        let others = place(&|t| matches!(t, Target::Others(_)));
        let of_rule = |i: usize| {
            // a rule with a load of its own is no part of its class
            let own = self.components.iter().any(|c| c.target == Target::Rule(i));
            let class = Target::Class(rules[i].class);
            if own { place(&|t| t == Target::Rule(i)) } else { place(&|t| t == class) }
        };
        std::iter::once(others).chain((0..rules.len()).map(of_rule)).collect()
    }

    /// What is changed of the packets.
    fn rewrite(&self) -> Result<Rewrite, PlanError> {
        let tests_mac = |f| self.job.rules.rules.iter().any(|r| r.test(f).is_some());
        let keep = tests_mac(Field::SrcMac) || tests_mac(Field::DstMac);
        let mut rewrite = Rewrite { macs: (!keep).then_some(self.job.macs), ..Rewrite::default() };
        let wanted = |m: &usize| &self.components[*m].traffic.addresses;
        let set: &Option<ValueSet> = wanted(&self.members[0]);
        if let Some(other) = self.members.iter().find(|m| wanted(m) != set) {
            return Err(PlanError::new(
                self.components[*other].span,
                format!("the addresses of {:?} are mapped in two ways", self.path),
                "one recording keeps its hosts together, whatever classes their packets are of",
                "give all loads that take packets from it the same `addresses`, best by `load: all`",
            ));
        }
        let Some(set) = set else { return Ok(rewrite) };
        let networks = Networks::of(set).unwrap_or_default();
        let mut seen = Seen::default();
        let gathered = read_file(Path::new(self.path), |p| {
            let key = packet::parse(p.bytes, None);
            [Field::SrcIp, Field::DstIp].into_iter().filter_map(|f| key.get(f)).for_each(|v| seen.add(v));
        });
        gathered.map_err(|e| unreadable(&e, self.span()))?;
        rewrite.addresses = seen.map(&networks).map_err(|e| {
            PlanError::new(
                self.span(),
                format!("the addresses of {:?} do not fit a network of /{}", self.path, e.given),
                "each place where their prefixes part takes one bit",
                format!("use a network of /{} or shorter", e.needed),
            )
        })?;
        Ok(rewrite)
    }

    fn recorded(&self, member: usize, lane: Lane, g: Gathered) -> Result<Recorded, PlanError> {
        let component = self.components[member];
        if g.packets == 0 {
            let target = match component.target {
                Target::Class(c) => format!("class {}", self.job.rules.label(c)),
                Target::Rule(i) => format!("rule {}", i + 1),
                Target::Others(_) => "`others`".into(),
            };
            return Err(PlanError::new(
                component.span,
                format!("no packet of {:?} is of {target}", self.path),
                "packets of a recording are sorted by the rules, and no rule sends one here",
                "see `csnbench explain FILE --capture`; leave `from` out here, or mend the rules",
            ));
        }
        let means = g.sums.map(|sum| sum as f64 / g.packets as f64);
        debug_assert_eq!(lane.records(), g.packets);
        Ok(Recorded { lane, means, longest: g.longest, flows: g.flows.len() })
    }
}

impl Gathered {
    /// Takes in a packet, and answers a number of 32 bits for its flow, the same in both directions.
    fn add(&mut self, frame: &[u8], key: &Key) -> u64 {
        self.packets += 1;
        self.longest = self.longest.max(frame.len());
        let (link, headers) = lengths(frame, key);
        for (sum, layer) in self.sums.iter_mut().zip(Layer::ALL) {
            *sum += layer.bytes_of_frame(frame.len() as u64, link, headers);
        }
        let flow = identity(key);
        if self.flows.len() < COUNTED {
            self.flows.insert(flow);
        }
        (flow ^ identity(&key.reversed())) & 0xffff_ffff
    }
}

/// A hash of what one direction of a flow is told apart by.
fn identity(key: &Key) -> u64 {
    // fixed keys: the same on every run
    let mut hasher = DefaultHasher::new();
    for field in [Field::SrcIp, Field::DstIp, Field::Proto, Field::SrcPort, Field::DstPort] {
        key.get(field).hash(&mut hasher);
    }
    hasher.finish()
}

/// Octets before the IP header, and of all headers.
fn lengths(frame: &[u8], key: &Key) -> (u64, u64) {
    let length = key.get(Field::Length).map_or(0, |v| v.bits as u64);
    if length == 0 {
        return (14.min(frame.len() as u64), 14.min(frame.len() as u64));
    }
    // small packets are padded behind their end: the header starts where the packet's own layers say
    let link = super::rewrite::ip_offset(frame).unwrap_or(14) as u64;
    let transport = super::rewrite::payload_offset(frame).unwrap_or(link as usize) as u64;
    (link, transport.min(frame.len() as u64))
}

/// The error of a capture that cannot be used, at the statement that names it.
pub fn unreadable(e: &CaptureError, span: Span) -> PlanError {
    let cure = match e {
        CaptureError::Io { .. } => "correct the path: it is relative to the file that names it",
        CaptureError::Broken { .. } => "give a pcap or pcapng file; `tcpdump -r` says whether it is one",
    };
    PlanError::new(span, "the recording cannot be used", e.to_string(), cure)
}
