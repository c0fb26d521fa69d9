//! Kinds of frames that engines treat differently, whatever the rules say.

use crate::field::Field;
use crate::packet::{self, Sink};
use std::fmt;

/// What a frame can be beside its fields. A frame can be of several kinds. A plain one is only of the kind of its IP
/// version: an Ethernet frame with a whole packet, without options, extension headers or fragmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// With at least one VLAN tag (IEEE 802.1Q, 802.1ad).
    Tagged,
    /// With several VLAN tags.
    Stacked,
    /// With an MPLS label stack (RFC 3032).
    Labelled,
    /// With neither an IPv4 nor an IPv6 header.
    NoIp,
    /// IPv4 with options (RFC 791).
    Options,
    /// IPv6 with extension headers (RFC 8200).
    Extensions,
    /// A fragment, the first one included. An IPv6 packet with a fragment header counts even where it is whole.
    Fragment,
    /// A header that is cut short or contradicts itself, or a length that goes beyond the frame or leaves out a part of
    /// the headers.
    Malformed,
    /// With an IPv4 header.
    Ipv4,
    /// With an IPv6 header.
    Ipv6,
    /// With a VLAN tag of the type 0x9100, which is older than IEEE 802.1ad and no tag for many targets.
    OldTag,
    /// With a length where others have their EtherType (IEEE 802.3).
    LengthField,
    /// IPv6 with extension headers that many targets do not walk through: authentication, mobility, HIP or Shim6;
    /// several fragment headers; or a later fragment that begins with an extension header.
    UnusualExtensions,
    /// A fragment, but for the first.
    LaterFragment,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [FrameKind; 14] = [
        FrameKind::Tagged,
        FrameKind::Stacked,
        FrameKind::Labelled,
        FrameKind::NoIp,
        FrameKind::Options,
        FrameKind::Extensions,
        FrameKind::Fragment,
        FrameKind::Malformed,
        FrameKind::Ipv4,
        FrameKind::Ipv6,
        FrameKind::OldTag,
        FrameKind::LengthField,
        FrameKind::UnusualExtensions,
        FrameKind::LaterFragment,
    ];
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FrameKind::Tagged => "frames with VLAN tags",
            FrameKind::Stacked => "frames with several VLAN tags",
            FrameKind::Labelled => "frames with MPLS labels",
            FrameKind::NoIp => "frames without an IP header",
            FrameKind::Options => "IPv4 packets with options",
            FrameKind::Extensions => "IPv6 packets with extension headers",
            FrameKind::Fragment => "fragments",
            FrameKind::Malformed => "malformed packets",
            FrameKind::Ipv4 => "IPv4 packets",
            FrameKind::Ipv6 => "IPv6 packets",
            FrameKind::OldTag => "frames with a VLAN tag of the type 0x9100",
            FrameKind::LengthField => "frames with a length in place of an EtherType",
            FrameKind::UnusualExtensions => "IPv6 packets with unusual extension headers",
            FrameKind::LaterFragment => "later fragments",
        })
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameKinds(u16);

impl FrameKinds {
    /// The kinds of an Ethernet frame; `tag` as in [`packet::parse`].
    pub fn of(frame: &[u8], tag: Option<u16>) -> Self {
        let mut kinds = Self::default();
        packet::extract(frame, tag, &mut kinds);
        kinds
    }

    /// Adds a kind.
    pub fn insert(&mut self, kind: FrameKind) {
        self.0 |= 1 << kind as u8;
    }

    /// Whether the kind is in the set.
    pub fn contains(self, kind: FrameKind) -> bool {
        self.0 >> (kind as u8) & 1 == 1
    }

    /// Whether any kind is in both sets.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kinds of the set.
    pub fn iter(self) -> impl Iterator<Item = FrameKind> {
        FrameKind::ALL.into_iter().filter(move |k| self.contains(*k))
    }
}

impl FromIterator<FrameKind> for FrameKinds {
    fn from_iter<I: IntoIterator<Item = FrameKind>>(kinds: I) -> Self {
        let mut out = Self::default();
        kinds.into_iter().for_each(|k| out.insert(k));
        out
    }
}

impl Sink for FrameKinds {
    fn number(&mut self, _: Field, _: u64) {}
    fn v4(&mut self, _: Field, _: u32) {}
    fn v6(&mut self, _: Field, _: u128) {}
    fn kind(&mut self, kind: FrameKind) {
        self.insert(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::sample::{Layout, encode};
    use crate::value::Value;

    /// The kinds beside the IP version.
    fn kinds(change: impl Fn(&mut Key, &mut Layout)) -> Vec<FrameKind> {
        let version = [FrameKind::Ipv4, FrameKind::Ipv6];
        all_kinds(change).into_iter().filter(|k| !version.contains(k)).collect()
    }

    fn all_kinds(change: impl Fn(&mut Key, &mut Layout)) -> Vec<FrameKind> {
        let (mut key, mut layout) = (Key::new(), Layout { payload: 20, ..Layout::default() });
        key.set(Field::SrcIp, Value::v4([192, 0, 2, 1].into()));
        key.set(Field::DstIp, Value::v4([192, 0, 2, 2].into()));
        key.set_number(Field::Proto, 17);
        change(&mut key, &mut layout);
        FrameKinds::of(&encode(&key, &layout), None).iter().collect()
    }

    #[test]
    fn every_kind_is_told_by_its_bytes() {
        use FrameKind::*;
        assert_eq!(kinds(|_, _| ()), []);
        assert_eq!(kinds(|k, _| k.set_number(Field::Vlan, 5)), [Tagged]);
        assert_eq!(kinds(|_, l| l.tags = vec![(0x88a8, 1), (0x8100, 2)]), [Tagged, Stacked]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Mpls, 5)), [Labelled]);
        assert_eq!(kinds(|_, l| l.tags = vec![(0x9100, 1)]), [Tagged, OldTag]);
        assert_eq!(kinds(|k, _| k.set_number(Field::EtherType, 0x0806)), [NoIp]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Length, 28)), []);
        assert_eq!(kinds(|_, l| l.options = 2), [Options]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Fragment, 1)), [Fragment]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Fragment, 2)), [Fragment, LaterFragment]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Length, 19)), [Malformed]);
        assert_eq!(kinds(|k, _| k.set_number(Field::Length, 200)), [Malformed]);
        let six = |k: &mut Key| {
            k.set(Field::SrcIp, Value { family: 6, bits: 1 });
            k.set(Field::DstIp, Value { family: 6, bits: 2 });
        };
        assert_eq!(kinds(|k, _| six(k)), []);
        let trimmed = |k: &mut Key| {
            six(k);
            k.set_number(Field::Length, 47);
        };
        assert_eq!(kinds(|k, _| trimmed(k)), [Malformed]);
        let extended = |k: &mut Key, l: &mut Layout| {
            six(k);
            l.extensions = vec![0, 60];
        };
        assert_eq!(kinds(extended), [Extensions]);
        assert_eq!(all_kinds(|_, _| ()), [Ipv4]);
        assert_eq!(all_kinds(|k, _| six(k)), [Ipv6]);
    }

    #[test]
    fn kinds_that_few_targets_know_are_told_by_their_bytes() {
        use FrameKind::*;
        assert_eq!(kinds(|_, l| l.tags = vec![(0x9100, 1)]), [Tagged, OldTag]);
        assert_eq!(kinds(|_, l| l.tags = vec![(0x8100, 1), (0x9100, 2)]), [Tagged, Stacked, OldTag]);
        assert_eq!(kinds(|k, _| k.set_number(Field::EtherType, 0x05ff)), [NoIp, LengthField]);
        let six = |k: &mut Key, l: &mut Layout, extensions: &[u8], piece: u128| {
            k.set(Field::SrcIp, Value { family: 6, bits: 1 });
            k.set(Field::DstIp, Value { family: 6, bits: 2 });
            k.set_number(Field::Fragment, piece);
            l.extensions = extensions.to_vec();
        };
        assert_eq!(kinds(|k, l| six(k, l, &[135], 0)), [Extensions, UnusualExtensions]);
        assert_eq!(kinds(|k, l| six(k, l, &[0, 51], 0)), [Extensions, UnusualExtensions]);
        assert_eq!(kinds(|k, l| six(k, l, &[0, 44], 2)), [Extensions, Fragment, LaterFragment]);
        let unusual = [Extensions, Fragment, UnusualExtensions, LaterFragment];
        assert_eq!(kinds(|k, l| six(k, l, &[44, 0], 2)), unusual);
        assert_eq!(kinds(|k, l| six(k, l, &[44, 44], 1)), [Extensions, Fragment, UnusualExtensions]);
    }

    #[test]
    fn a_length_that_leaves_out_headers_is_malformed() {
        let mut key = Key::new();
        for (field, bits) in [(Field::SrcIp, 1), (Field::DstIp, 2)] {
            key.set(field, Value { family: 4, bits });
        }
        key.set_number(Field::Proto, 17);
        for (length, malformed) in [(20, true), (27, true), (28, false), (30, false)] {
            key.set_number(Field::Length, length);
            let frame = encode(&key, &Layout { payload: 9, ..Layout::default() });
            assert_eq!(FrameKinds::of(&frame, None).contains(FrameKind::Malformed), malformed, "{length}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_short_is_malformed() {
        let mut key = Key::new();
        key.set(Field::SrcIp, Value::v4([192, 0, 2, 1].into()));
        key.set(Field::DstIp, Value::v4([192, 0, 2, 2].into()));
        key.set_number(Field::Proto, 6);
        let whole = encode(&key, &Layout::default());
        assert_eq!(FrameKinds::of(&whole, None), FrameKinds::from_iter([FrameKind::Ipv4]));
        for len in 0..whole.len() {
            assert!(FrameKinds::of(&whole[..len], None).contains(FrameKind::Malformed), "{len}");
        }
    }
}
