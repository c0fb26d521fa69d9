//! What a capture's traffic is like: its classes, and of each of them sizes, flows, their popularity and addresses; the
//! gaps of all of it.

use super::fit::{self, Gaps, Popularity, Sizes};
use super::reader::{CaptureError, Packet, read_file};
use super::rewrite::payload_offset;
use csn::{
    Class, ClassId, Classifier, Counts, Field, Key, Nanos, Range, Rule, RuleSet, Span, Value, ValueSet,
};
use csn::{packet, packet::PORT_PROTOCOLS};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A service gets a class of its own from this share of the packets on.
const SHARE: f64 = 0.01;
/// Services with a class of their own at most.
const SERVICES: usize = 20;
/// Values of a field that are worth being listed.
const LISTED: usize = 4;

/// The traffic of a capture.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The rules that packets were sorted by.
    pub rules: RuleSet,
    /// Per class, by [`ClassId`]; none for classes without packets.
    pub classes: Vec<Option<ClassProfile>>,
    /// All packets.
    pub total: Counts,
    /// From the first packet to the last.
    pub elapsed: Nanos,
    /// The gaps between all packets; none where there are too few.
    pub gaps: Option<Gaps>,
}

/// The traffic of a class.
#[derive(Clone, Debug)]
pub struct ClassProfile {
    /// Its packets.
    pub counts: Counts,
    /// Different flows; one that goes both ways under a rule for `both` is one.
    pub flows: u32,
    /// Octets of payload.
    pub sizes: Sizes,
    /// How packets are spread over the flows.
    pub popularity: Popularity,
    /// Values of fields that the rules of the class leave open.
    pub open: Vec<(Field, ValueSet)>,
}

/// What is gathered of a class.
#[derive(Default)]
struct Gathered {
    counts: Counts,
    sizes: BTreeMap<u32, u64>,
    flows: HashMap<[Option<Value>; 5], u64>,
    addresses: [BTreeMap<u8, (u128, u128)>; 2],
    ttl: BTreeMap<u128, u64>,
    tos: BTreeMap<u128, u64>,
}

impl Profile {
    /// Reads a capture: by the classes of `rules`, or by those of its most used services where there are none.
    ///
    /// # Errors
    /// A capture that cannot be read.
    pub fn read(path: &Path, rules: Option<RuleSet>) -> Result<Self, CaptureError> {
        let rules = match rules {
            Some(rules) => rules,
            None => services(path)?,
        };
        let classifier = Classifier::new(&rules);
        let forward: Vec<Rule> = rules.rules.iter().map(|r| Rule { both: false, ..r.clone() }).collect();
        let mut gathered: Vec<Gathered> = rules.classes.iter().map(|_| Gathered::default()).collect();
        let (mut total, mut times) = (Counts::default(), fit::Times::default());
        read_file(path, |p| {
            let key = packet::parse(p.bytes, None);
            let verdict = classifier.classify(&key);
            // one flow, whichever way its packets go
            let turned = verdict.rule.is_some_and(|r| rules.rules[r].both && !forward[r].matches(&key));
            gathered[verdict.class.index()].add(p, &if turned { key.reversed() } else { key });
            total.add(p.length.into());
            times.add(p.time);
        })?;
        let classes = gathered.into_iter().enumerate().map(|(i, g)| g.profile(&rules, i)).collect();
        Ok(Self { classes, total, elapsed: times.elapsed(), gaps: times.fit(), rules })
    }
}

impl Gathered {
    fn add(&mut self, p: &Packet<'_>, key: &Key) {
        self.counts.add(p.length.into());
        *self.sizes.entry(payload(p, key)).or_insert(0) += 1;
        let identity = [Field::SrcIp, Field::DstIp, Field::Proto, Field::SrcPort, Field::DstPort];
        *self.flows.entry(identity.map(|f| key.get(f))).or_insert(0) += 1;
        for (side, field) in [Field::SrcIp, Field::DstIp].into_iter().enumerate() {
            let Some(v) = key.get(field) else { continue };
            let ends = self.addresses[side].entry(v.family).or_insert((v.bits, v.bits));
            *ends = (ends.0.min(v.bits), ends.1.max(v.bits));
        }
        for (field, counts) in [(Field::Ttl, &mut self.ttl), (Field::Tos, &mut self.tos)] {
            key.get(field).into_iter().for_each(|v| *counts.entry(v.bits).or_insert(0) += 1);
        }
    }

    fn profile(self, rules: &RuleSet, class: usize) -> Option<ClassProfile> {
        if self.counts.packets == 0 {
            return None;
        }
        let tested = |f: Field| {
            let rules = rules.rules.iter().filter(|r| class == 0 || r.class.index() == class);
            rules.into_iter().any(|r| r.test(f).is_some() || (r.both && r.test(f.reversed()).is_some()))
        };
        let mut open = Vec::new();
        for (field, ends) in [Field::SrcIp, Field::DstIp].into_iter().zip(&self.addresses) {
            let networks: Vec<Range> =
                ends.iter().map(|(family, (lo, hi))| covering(*family, *lo, *hi)).collect();
            open.push((field, ValueSet::from_ranges(networks)));
        }
        for (field, counts) in [(Field::Ttl, &self.ttl), (Field::Tos, &self.tos)] {
            open.push((field, usual(counts)));
        }
        let dscp = |f: Field| f == Field::Tos && tested(Field::Dscp);
        open.retain(|(f, set)| !set.is_empty() && !tested(*f) && !dscp(*f));
        let mut packets: Vec<u64> = self.flows.into_values().collect();
        packets.sort_unstable_by(|a, b| b.cmp(a));
        Some(ClassProfile {
            counts: self.counts,
            flows: packets.len() as u32,
            sizes: Sizes::fit(&self.sizes),
            popularity: Popularity::fit(&packets),
            open,
        })
    }
}

/// Octets of payload: what the packet's own lengths leave behind its headers, padding left out.
fn payload(p: &Packet<'_>, key: &Key) -> u32 {
    let Some(start) = payload_offset(p.bytes) else {
        // cut short or no IP packet: all behind the link header, or what the lengths say of the usual headers
        let ip = key.get(Field::Length).map(|v| (v.bits as u32).saturating_sub(usual_headers(key)));
        return ip.unwrap_or(p.length.saturating_sub(14));
    };
    let ip = super::rewrite::ip_offset(p.bytes).unwrap_or(14);
    let length = key.get(Field::Length).map_or(0, |v| v.bits as usize);
    (ip + length).saturating_sub(start) as u32
}

/// Octets of the IP and transport headers of a packet that was captured in part.
fn usual_headers(key: &Key) -> u32 {
    let ip = if key.get(Field::SrcIp).is_some_and(|v| v.family == 6) { 40 } else { 20 };
    let transport = match key.get(Field::Proto).map(|v| v.bits as u8) {
        Some(packet::TCP) => 20,
        Some(packet::UDP) => 8,
        _ => 0,
    };
    ip + transport
}

/// The smallest network that holds both addresses, but for their own.
fn covering(family: u8, lo: u128, hi: u128) -> Range {
    let width: u32 = if family == 4 { 32 } else { 128 };
    let common = (lo ^ hi).leading_zeros() - (128 - width);
    Range::prefix(Value { family, bits: lo }, common.min(width))
}

/// The values that most packets have.
fn usual(counts: &BTreeMap<u128, u64>) -> ValueSet {
    let mut by_count: Vec<(u64, u128)> = counts.iter().map(|(v, n)| (*n, *v)).collect();
    by_count.sort_unstable_by(|a, b| b.cmp(a));
    let least = counts.values().sum::<u64>() / 20;
    let values = by_count.into_iter().take(LISTED).filter(|(n, _)| *n > least);
    ValueSet::from_ranges(values.map(|(_, v)| Range::numbers(v, v)))
}

/// Rules for the services of a capture that have the most packets, a class each; then for what is left of their
/// protocols.
fn services(path: &Path) -> Result<RuleSet, CaptureError> {
    let mut counts: HashMap<(u8, Option<u16>), u64> = HashMap::new();
    let packets = read_file(path, |p| {
        let key = packet::parse(p.bytes, None);
        let Some(proto) = key.get(Field::Proto).map(|v| v.bits as u8) else { return };
        let port = |f| key.get(f).map(|v| v.bits as u16);
        // the smaller port is that of the service
        let service = port(Field::SrcPort).zip(port(Field::DstPort)).map(|(a, b)| a.min(b));
        *counts.entry((proto, service)).or_insert(0) += 1;
    })?;
    let mut by_count: Vec<((u8, Option<u16>), u64)> = counts.into_iter().collect();
    by_count.sort_unstable_by_key(|(service, n)| (std::cmp::Reverse(*n), *service));
    let mut protocols: Vec<u8> = Vec::new();
    by_count.iter().for_each(|((proto, _), _)| {
        if !protocols.contains(proto) {
            protocols.push(*proto);
        }
    });
    let named = by_count
        .iter()
        .filter(|((_, port), n)| port.is_some() && *n as f64 >= SHARE * packets as f64)
        .take(SERVICES)
        .map(|(service, _)| *service);
    let mut out = RuleSet::default();
    for (proto, port) in named.chain(protocols.iter().map(|p| (*p, None))) {
        add_service(&mut out, proto, port);
    }
    Ok(out)
}

fn add_service(rules: &mut RuleSet, proto: u8, port: Option<u16>) {
    let number = rules.classes.len() as u32;
    let one = |n: u128| ValueSet::single(Value::number(n));
    let mut tests = vec![(Field::Proto, one(proto.into()))];
    tests.extend(port.map(|p| (Field::DstPort, one(p.into()))));
    let label = csn::print::test(Field::Proto, &tests[0].1).replace("proto = ", "");
    let name = match port {
        Some(port) => format!("{label} {port}"),
        None if PORT_PROTOCOLS.contains(&proto) => format!("other {label}"),
        None => label,
    };
    rules.classes.push(Class { number, name: Some(name), span: Span::default() });
    rules.rules.push(Rule { class: ClassId(number), tests, both: port.is_some(), span: Span::default() });
}
