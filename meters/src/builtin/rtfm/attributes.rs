//! Attributes of flow records as text, for flow data files and readouts.

use super::engine::Engine;
use super::pattern::{Pattern, Shape};
use super::slots::{Slot, V6_WORDS, slot_of};
use super::table::{Record, State};
use csn::Nanos;
use csn::rtfm::Attribute;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A record, with what is needed to read it.
pub struct Flow<'a> {
    /// Its number in the table.
    pub index: u32,
    /// The record.
    pub record: &'a Record,
    /// The rule set that made it.
    pub engine: &'a Engine,
    /// When the meter started.
    pub start: Nanos,
}

impl Flow<'_> {
    fn shape(&self) -> &Shape {
        self.engine.shapes().get(self.record.shape())
    }

    fn pattern(&self, attribute: Attribute) -> Option<&Pattern> {
        let place = slot_of(attribute)?;
        self.shape().patterns.iter().find(|p| p.place == place)
    }

    /// The value of an attribute; `0` where the rules did not save it.
    pub fn value(&self, attribute: Attribute) -> String {
        let r = self.record;
        let masked = |of| self.pattern(of).map_or("0".into(), |p| literal(of, p.octets, p.mask));
        match attribute {
            Attribute::FlowIndex => self.index.to_string(),
            Attribute::FlowRuleSet => self.engine.set().to_string(),
            // RFC 2720: inactive(1), current(2)
            Attribute::FlowStatus => if r.state() == State::Inactive { "1" } else { "2" }.into(),
            Attribute::FlowTimeMark | Attribute::LastActiveTime => self.uptime(r.last),
            Attribute::FirstTime => self.uptime(r.first),
            Attribute::ToOctets => r.to.bytes.to_string(),
            Attribute::ToPDUs => r.to.packets.to_string(),
            Attribute::FromOctets => r.from.bytes.to_string(),
            Attribute::FromPDUs => r.from.packets.to_string(),
            Attribute::SourceAdjacentMask => masked(Attribute::SourceAdjacentAddress),
            Attribute::SourcePeerMask => masked(Attribute::SourcePeerAddress),
            Attribute::SourceTransMask => masked(Attribute::SourceTransAddress),
            Attribute::DestAdjacentMask => masked(Attribute::DestAdjacentAddress),
            Attribute::DestPeerMask => masked(Attribute::DestPeerAddress),
            Attribute::DestTransMask => masked(Attribute::DestTransAddress),
            // counters are in packets and octets
            Attribute::PDUScale | Attribute::OctetScale => "1".into(),
            other => self.saved(other).map_or("0".into(), |(octets, bits)| literal(other, octets, bits)),
        }
    }

    /// 1/100 s since the start.
    fn uptime(&self, time: Nanos) -> String {
        (time.0.saturating_sub(self.start.0) / 10_000_000).to_string()
    }

    /// Octets and value of an attribute that the rules saved.
    fn saved(&self, attribute: Attribute) -> Option<(u8, u128)> {
        let pattern = self.pattern(attribute)?;
        let word = |place: Slot| {
            let at = self.shape().slots.iter().position(|s| *s == place)?;
            self.record.words().get(at).copied()
        };
        let bits = match pattern.octets {
            16 => pattern.slots().zip(V6_WORDS).try_fold(0u128, |bits, (place, (shift, _))| {
                Some(bits | u128::from(word(place)?) << shift)
            })?,
            _ => word(pattern.place)?.into(),
        };
        Some((pattern.octets, bits))
    }

    /// Everything that the rules saved.
    pub fn all_saved(&self) -> impl Iterator<Item = (&'static str, String)> {
        let saved = |a: &&Attribute| !a.is_variable() && self.pattern(**a).is_some();
        Attribute::ALL.iter().filter(saved).map(|a| (a.name(), self.value(*a)))
    }
}

/// A value as NeTraMet writes it: addresses in their usual form, everything else as a number.
fn literal(attribute: Attribute, octets: u8, bits: u128) -> String {
    match attribute {
        Attribute::SourceAdjacentAddress | Attribute::DestAdjacentAddress => {
            let bytes = (bits as u64).to_be_bytes();
            bytes[2..].iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join("-")
        }
        Attribute::SourcePeerAddress | Attribute::DestPeerAddress if octets == 4 => {
            Ipv4Addr::from_bits(bits as u32).to_string()
        }
        Attribute::SourcePeerAddress | Attribute::DestPeerAddress => Ipv6Addr::from_bits(bits).to_string(),
        _ => bits.to_string(),
    }
}
