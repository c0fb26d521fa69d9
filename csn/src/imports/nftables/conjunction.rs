//! What one rule of a packet filter tests, put together until it can be said in the notation.

use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, VLAN_TYPES, fragment};
use crate::value::{Range, Value, ValueSet};

/// The tests of a rule so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::imports) struct Conjunction {
    tests: Vec<(Field, ValueSet)>,
    /// The IP version, where something asks for one.
    family: Option<u8>,
    /// It cannot match.
    never: bool,
    /// Octets under a mask, whose meaning the rest of the rule tells.
    raw: Vec<Octets>,
    /// A test of the ports that does not say of which protocols.
    any_ports: bool,
    /// The fragment header of IPv6, where something asks for it.
    pieces: Option<Pieces>,
    /// The two low bits of the TOS octet.
    ecn: Option<ValueSet>,
}

/// Header, offset, bits, mask, and what they must be.
type Octets = (String, u32, u32, u64, ValueSet);

/// What the fragment header of an IPv6 packet may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::imports) struct Pieces {
    pub(in crate::imports) none: bool,
    pub(in crate::imports) whole: bool,
    pub(in crate::imports) first: bool,
    pub(in crate::imports) later: bool,
}

impl Pieces {
    const ALL: Pieces = Pieces { none: true, whole: true, first: true, later: true };

    fn and(self, o: Pieces) -> Pieces {
        Pieces {
            none: self.none && o.none,
            whole: self.whole && o.whole,
            first: self.first && o.first,
            later: self.later && o.later,
        }
    }

    fn or(self, o: Pieces) -> Pieces {
        Pieces {
            none: self.none || o.none,
            whole: self.whole || o.whole,
            first: self.first || o.first,
            later: self.later || o.later,
        }
    }
}

fn whole(family: u8) -> ValueSet {
    Range::prefix(Value { family, bits: 0 }, 0).into()
}

fn number(n: impl Into<u128>) -> Value {
    Value::number(n.into())
}

fn numbers(all: &[u16]) -> ValueSet {
    ValueSet::from_ranges(all.iter().map(|n| Range::new(number(*n), number(*n))))
}

fn protocols() -> ValueSet {
    numbers(&PORT_PROTOCOLS.map(u16::from))
}

impl Conjunction {
    /// Adds a test of a field.
    pub(in crate::imports) fn test(&mut self, field: Field, set: ValueSet) {
        let set = set.intersect(&field.domain());
        match self.tests.iter_mut().find(|(f, _)| *f == field) {
            Some((_, earlier)) => *earlier = earlier.intersect(&set),
            None => self.tests.push((field, set)),
        }
    }

    /// Asks for an IP version.
    pub(in crate::imports) fn family(&mut self, family: u8) {
        self.never |= self.family.is_some_and(|f| f != family);
        self.family = Some(family);
    }

    /// Adds a test of the ports of any protocol.
    pub(in crate::imports) fn any_port(&mut self, field: Field, set: ValueSet) {
        self.any_ports = true;
        self.test(field, set);
    }

    /// Adds a test of a protocol's own field.
    pub(in crate::imports) fn of_protocol(&mut self, protocol: u8, field: Field, set: ValueSet) {
        self.test(Field::Proto, ValueSet::single(number(protocol)));
        self.test(field, set);
    }

    /// Adds a test of octets.
    pub(in crate::imports) fn raw(&mut self, base: &str, offset: u32, bits: u32, mask: u64, set: ValueSet) {
        self.raw.push((base.to_owned(), offset, bits, mask, set));
    }

    /// Adds a test of the congestion notification (RFC 3168).
    pub(in crate::imports) fn ecn(&mut self, set: ValueSet) {
        self.ecn = Some(self.ecn.take().map_or(set.clone(), |e| e.intersect(&set)));
    }

    /// Adds a test of the fragment header of IPv6.
    pub(in crate::imports) fn pieces(&mut self, pieces: Pieces) {
        self.family(6);
        self.pieces = Some(self.pieces.unwrap_or(Pieces::ALL).and(pieces));
    }

    /// Takes in what a chain's caller tests.
    pub(in crate::imports) fn and(&self, other: &Conjunction) -> Conjunction {
        let mut out = self.clone();
        other.tests.iter().for_each(|(f, s)| out.test(*f, s.clone()));
        other.family.iter().for_each(|f| out.family(*f));
        other.pieces.iter().for_each(|p| out.pieces(*p));
        out
    }

    /// Whether it tests nothing.
    pub(in crate::imports) fn is_empty(&self) -> bool {
        *self == Conjunction::default()
    }

    /// Takes in a rule behind that differs only in the fragment header, where neither can be said alone.
    pub(in crate::imports) fn absorb(&mut self, next: &Conjunction) -> bool {
        let (Some(mine), Some(other)) = (self.pieces, next.pieces) else { return false };
        let joined = mine.or(other);
        let alike =
            Conjunction { pieces: None, ..self.clone() } == Conjunction { pieces: None, ..next.clone() };
        let takes = alike && mine.none != mine.whole && joined.none == joined.whole;
        if takes {
            self.pieces = Some(joined);
        }
        takes
    }

    /// The tests in the notation; none where nothing can match.
    ///
    /// # Errors
    /// Why the notation cannot say it.
    pub(in crate::imports) fn finish(mut self) -> Result<Option<Vec<(Field, ValueSet)>>, &'static str> {
        self.resolve_types();
        self.resolve_raw()?;
        self.resolve_tos();
        self.resolve_pieces()?;
        self.resolve_transport()?;
        self.resolve_family();
        self.tests.sort_by_key(|(f, _)| *f);
        let possible = !self.never && self.tests.iter().all(|(_, s)| !s.is_empty());
        Ok(possible.then_some(self.tests))
    }

    fn get(&self, field: Field) -> Option<&ValueSet> {
        self.tests.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }

    fn drop(&mut self, field: Field) {
        self.tests.retain(|(f, _)| *f != field);
    }

    /// A test of the EtherType that asks for one IP version, beside tests of the IP header.
    fn resolve_types(&mut self) {
        let outer = |r: &Octets| (r.0.as_str(), r.1, r.2) == ("ll", 96, 16) && r.4 != numbers(&VLAN_TYPES);
        let (types, rest): (Vec<Octets>, _) = std::mem::take(&mut self.raw).into_iter().partition(outer);
        self.raw = rest;
        types.into_iter().for_each(|r| self.test(Field::EtherType, r.4));
        let deep = self.tests.iter().any(|(f, _)| *f >= Field::SrcIp)
            || self.family.is_some()
            || self.pieces.is_some()
            || self.raw.iter().any(|r| r.0 == "th" || r.0 == "nh" && r.2 < 24);
        let one = self.get(Field::EtherType).and_then(ValueSet::as_single).map(|v| v.bits);
        for (kind, family) in [(IPV4, 4), (IPV6, 6)] {
            if deep && one == Some(u128::from(kind)) {
                self.drop(Field::EtherType);
                self.family(family);
            }
        }
    }

    fn resolve_raw(&mut self) -> Result<(), &'static str> {
        let mut tag = (false, false);
        for (base, offset, bits, mask, set) in std::mem::take(&mut self.raw) {
            // only values without the bits that the mask takes out can come out of it
            let moved = |by: u32| {
                let ends = |r: &Range| (r.lo.bits.div_ceil(1 << by), r.hi.bits >> by);
                let whole = set.ranges().iter().map(ends).filter(|(lo, hi)| lo <= hi);
                ValueSet::from_ranges(whole.map(|(lo, hi)| Range::numbers(lo, hi)))
            };
            match (base.as_str(), offset, bits, mask) {
                ("ll", 96, 16, 0xffff) if set == numbers(&VLAN_TYPES) => tag.0 = true,
                ("ll", 112, 16, 0xfff) => {
                    tag.1 = true;
                    self.test(Field::Vlan, set.clone());
                }
                ("nh", 0, 24, 0xff_fff0) if self.get(Field::EtherType) == Some(&numbers(&MPLS_TYPES)) => {
                    self.drop(Field::EtherType);
                    self.test(Field::Mpls, moved(4));
                }
                ("nh", 8, 8, 0xff) if self.family == Some(4) => self.test(Field::Tos, set.clone()),
                ("nh", 4, 8, 0xff) if self.family == Some(6) => self.test(Field::Tos, set.clone()),
                ("nh", 0, 16, 0xff0) if self.family == Some(6) => self.test(Field::Tos, moved(4)),
                // both ports in one, as nft lists two comparisons of them
                ("th", 0, 32, 0xffff_ffff) if set.as_single().is_some() => {
                    let bits = set.ranges()[0].lo.bits;
                    self.any_port(Field::SrcPort, ValueSet::single(number(bits >> 16)));
                    self.any_port(Field::DstPort, ValueSet::single(number(bits & 0xffff)));
                }
                ("th", 104, 8, 0xff) if self.is_tcp() => self.test(Field::TcpFlags, set.clone()),
                _ => return Err("it tests octets that are no field of the notation by themselves"),
            }
        }
        match tag {
            (false, false) | (true, true) => Ok(()),
            (true, false) => {
                self.test(Field::Vlan, Field::Vlan.domain());
                Ok(())
            }
            _ => Err("it reads a VLAN identifier without a test for a tag"),
        }
    }

    /// DSCP and congestion notification, where they are tested together: as the octet that they make up.
    fn resolve_tos(&mut self) {
        let ecn = self.ecn.take();
        if ecn.is_none() && self.get(Field::Tos).is_none() {
            return;
        }
        let dscp = self.get(Field::Dscp).cloned();
        let fits = |o: &u128| {
            dscp.as_ref().is_none_or(|d| d.contains(Value::number(o >> 2)))
                && ecn.as_ref().is_none_or(|e| e.contains(Value::number(o & 3)))
        };
        if dscp.is_some() || ecn.is_some() {
            self.drop(Field::Dscp);
            self.test(Field::Tos, ValueSet::from_ranges((0..256).filter(fits).map(|o| Range::numbers(o, o))));
        }
    }

    fn is_tcp(&self) -> bool {
        self.get(Field::Proto).and_then(ValueSet::as_single) == Some(number(TCP))
    }

    fn resolve_pieces(&mut self) -> Result<(), &'static str> {
        let Some(Pieces { none, whole, first, later }) = self.pieces else { return Ok(()) };
        if none != whole {
            return Err("it tells packets without a fragment header from whole ones that have one");
        }
        let accepted = [(none, fragment::NO), (first, fragment::FIRST), (later, fragment::LATER)];
        let values = accepted.into_iter().filter(|(yes, _)| *yes).map(|(_, n)| Range::numbers(n, n));
        self.test(Field::Fragment, ValueSet::from_ranges(values));
        Ok(())
    }

    fn resolve_transport(&mut self) -> Result<(), &'static str> {
        let ports = [Field::SrcPort, Field::DstPort].iter().any(|f| self.get(*f).is_some());
        if ports && self.any_ports {
            let within = self.get(Field::Proto).is_some_and(|p| p.is_subset(&protocols()));
            if !within {
                return Err("it reads ports in packets of protocols without ports; test `meta l4proto` too");
            }
        }
        if ports && self.get(Field::Proto) == Some(&protocols()) {
            // what has ports is of one of these
            self.drop(Field::Proto);
        }
        Ok(())
    }

    /// The version, where no other test implies it.
    fn resolve_family(&mut self) {
        let Some(family) = self.family else { return };
        for field in [Field::SrcIp, Field::DstIp] {
            if let Some((_, set)) = self.tests.iter_mut().find(|(f, _)| *f == field) {
                *set = set.intersect(&whole(family));
            }
        }
        let icmp = self.get(Field::IcmpType).or(self.get(Field::IcmpCode)).is_some();
        let protocol = self.get(Field::Proto).and_then(ValueSet::as_single);
        let of = if family == 4 { ICMP } else { ICMPV6 };
        let implied = self.get(Field::SrcIp).or(self.get(Field::DstIp)).is_some()
            || family == 6 && self.get(Field::FlowLabel).is_some()
            || icmp && protocol == Some(number(of));
        if !implied {
            self.test(Field::SrcIp, whole(family));
        }
    }
}
