//! A packet's attributes as the engine tests them: one 64-bit word each, at a fixed place.
//!
//! Bit 63 says that the packet has the attribute. A test's mask and value include it, so one comparison decides
//! presence, IP version and value together. An IPv6 address is spread over three words.

use csn::Field;
use csn::packet::{Sink, extract};
use csn::rtfm::Attribute;

/// Bit of a word that is set where the packet has the attribute.
pub const PRESENT: u64 = 1 << 63;

/// The place of a word in [`Slots`].
pub type Slot = u8;

/// Names of the places.
pub mod slot {
    use super::Slot;

    /// Zero for ever.
    pub const NULL: Slot = 0;
    /// 1 in the first pass, 0 in the second.
    pub const STOD: Slot = 1;
    /// The first of the six computed attributes, in the order of their numbers.
    pub const COMPUTED: Slot = 2;
    /// The low octet of a class of the notation.
    pub const FLOW_CLASS: Slot = COMPUTED + 2;
    /// The high octet.
    pub const FLOW_KIND: Slot = COMPUTED + 5;
    /// Interface on the source side.
    pub const SOURCE_INTERFACE: Slot = 8;
    /// Interface on the destination side.
    pub const DEST_INTERFACE: Slot = 9;
    /// Medium, of both sides.
    pub const ADJACENT_TYPE: Slot = 10;
    /// Source MAC address.
    pub const SOURCE_ADJACENT: Slot = 11;
    /// Destination MAC address.
    pub const DEST_ADJACENT: Slot = 12;
    /// 1 IPv4, 2 IPv6, of both sides.
    pub const PEER_TYPE: Slot = 13;
    /// Source IPv4 address.
    pub const SOURCE_V4: Slot = 14;
    /// Destination IPv4 address.
    pub const DEST_V4: Slot = 15;
    /// Source IPv6 address: three words.
    pub const SOURCE_V6: Slot = 16;
    /// Destination IPv6 address: three words.
    pub const DEST_V6: Slot = 19;
    /// IP protocol, of both sides.
    pub const TRANS_TYPE: Slot = 22;
    /// Source port.
    pub const SOURCE_PORT: Slot = 23;
    /// Destination port.
    pub const DEST_PORT: Slot = 24;
    /// The first of the fields that have no sides.
    pub const OTHERS: Slot = 25;
    /// How many places are in use.
    pub const COUNT: usize = 37;
}

/// Bits of an IPv6 address in its words: the high 63, the low 63, and the two between them. A prefix of up to
/// 63 bits is so one comparison, and addresses of one network differ in the second word.
pub const V6_WORDS: [(u32, u32); 3] = [(65, 63), (0, 63), (63, 2)];

/// The words of a 128-bit value, without the bit of presence.
#[inline]
pub fn v6_words(bits: u128) -> [u64; 3] {
    V6_WORDS.map(|(shift, width)| ((bits >> shift) as u64) & ((1 << width) - 1))
}

/// Where an attribute lies; address attributes are given by their IPv4 place. None for those of flow records and
/// for variables.
pub fn slot_of(attribute: Attribute) -> Option<Slot> {
    Some(match attribute {
        Attribute::Null => slot::NULL,
        Attribute::MatchingStoD => slot::STOD,
        a if a.is_computed() => slot::COMPUTED + (a as u16 - Attribute::SourceClass as u16) as Slot,
        Attribute::DestInterface => slot::DEST_INTERFACE,
        // both sides of a flow share their types: a key that is turned round must find the same record
        Attribute::SourceAdjacentType | Attribute::DestAdjacentType => slot::ADJACENT_TYPE,
        Attribute::SourcePeerType | Attribute::DestPeerType => slot::PEER_TYPE,
        Attribute::DestTransType => slot::TRANS_TYPE,
        a => slot_of_field(Field::ALL.into_iter().find(|f| Attribute::of_field(*f) == a)?),
    })
}

/// Where a field of a packet lies.
const fn slot_of_field(field: Field) -> Slot {
    match field {
        Field::Interface => slot::SOURCE_INTERFACE,
        Field::SrcMac => slot::SOURCE_ADJACENT,
        Field::DstMac => slot::DEST_ADJACENT,
        Field::SrcIp => slot::SOURCE_V4,
        Field::DstIp => slot::DEST_V4,
        Field::Proto => slot::TRANS_TYPE,
        Field::SrcPort => slot::SOURCE_PORT,
        Field::DstPort => slot::DEST_PORT,
        Field::EtherType => slot::OTHERS,
        Field::Vlan => slot::OTHERS + 1,
        Field::Mpls => slot::OTHERS + 2,
        Field::Dscp => slot::OTHERS + 3,
        Field::Tos => slot::OTHERS + 4,
        Field::Ttl => slot::OTHERS + 5,
        Field::Length => slot::OTHERS + 6,
        Field::FlowLabel => slot::OTHERS + 7,
        Field::Fragment => slot::OTHERS + 8,
        Field::TcpFlags => slot::OTHERS + 9,
        Field::IcmpType => slot::OTHERS + 10,
        Field::IcmpCode => slot::OTHERS + 11,
    }
}

/// The place of the same thing in a packet or key of the opposite direction.
pub fn reversed(place: Slot) -> Slot {
    use slot::{COMPUTED, DEST_V6, SOURCE_V6};
    const PAIRS: [(Slot, Slot); 6] = [
        (COMPUTED, COMPUTED + 1),     // SourceClass, DestClass
        (COMPUTED + 3, COMPUTED + 4), // SourceKind, DestKind
        (slot::SOURCE_INTERFACE, slot::DEST_INTERFACE),
        (slot::SOURCE_ADJACENT, slot::DEST_ADJACENT),
        (slot::SOURCE_V4, slot::DEST_V4),
        (slot::SOURCE_PORT, slot::DEST_PORT),
    ];
    if (SOURCE_V6..SOURCE_V6 + 3).contains(&place) {
        return place - SOURCE_V6 + DEST_V6;
    }
    if (DEST_V6..DEST_V6 + 3).contains(&place) {
        return place - DEST_V6 + SOURCE_V6;
    }
    PAIRS
        .iter()
        .find_map(|&(a, b)| if place == a { Some(b) } else { (place == b).then_some(a) })
        .unwrap_or(place)
}

/// The words of one packet.
#[derive(Clone, Debug)]
pub struct Slots {
    // 64 words, so that a place cut to six bits is always inside
    words: [u64; 64],
}

impl Default for Slots {
    fn default() -> Self {
        Self { words: [0; 64] }
    }
}

impl Slots {
    /// The word at a place.
    #[inline(always)]
    pub fn get(&self, place: Slot) -> u64 {
        self.words[usize::from(place & 63)]
    }

    /// Sets the word at a place.
    #[inline(always)]
    pub fn set(&mut self, place: Slot, word: u64) {
        self.words[usize::from(place & 63)] = word;
    }

    /// Takes the attributes of an Ethernet frame that came in on `interface`; `tag` as in
    /// [`csn::packet::parse`].
    #[inline]
    pub fn load(&mut self, frame: &[u8], tag: Option<u16>, interface: Option<u32>) {
        self.words[..slot::COUNT].fill(0);
        if let Some(index) = interface {
            self.set(slot::SOURCE_INTERFACE, PRESENT | u64::from(index));
        }
        self.set(slot::ADJACENT_TYPE, PRESENT | ETHERNET);
        extract(frame, tag, self);
    }

    /// Sets what every pass starts with: computed attributes at zero, and the direction.
    #[inline]
    pub fn start_pass(&mut self, forward: bool) {
        for place in slot::COMPUTED..slot::COMPUTED + 6 {
            self.set(place, PRESENT);
        }
        self.set(slot::STOD, PRESENT | u64::from(forward));
    }

    /// Exchanges source and destination.
    pub fn reverse(&mut self) {
        for place in slot::SOURCE_INTERFACE..slot::OTHERS {
            let other = reversed(place);
            if place < other {
                self.words.swap(usize::from(place), usize::from(other));
            }
        }
    }
}

/// The number of Ethernet among adjacent types (RFC 2720).
const ETHERNET: u64 = 7;
/// The numbers of IPv4 and IPv6 among peer types.
const PEER_V4: u64 = 1;
const PEER_V6: u64 = 2;

impl Sink for Slots {
    #[inline(always)]
    fn number(&mut self, field: Field, value: u64) {
        self.set(slot_of_field(field), PRESENT | value);
    }

    #[inline(always)]
    fn v4(&mut self, field: Field, address: u32) {
        self.set(slot_of_field(field), PRESENT | u64::from(address));
        self.set(slot::PEER_TYPE, PRESENT | PEER_V4);
    }

    #[inline(always)]
    fn v6(&mut self, field: Field, address: u128) {
        let base = if matches!(field, Field::SrcIp) { slot::SOURCE_V6 } else { slot::DEST_V6 };
        for (i, word) in v6_words(address).into_iter().enumerate() {
            self.set(base + i as Slot, PRESENT | word);
        }
        self.set(slot::PEER_TYPE, PRESENT | PEER_V6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::Key;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// What the oracle's key must say, read back from the words.
    fn key_of(s: &Slots) -> Key {
        let mut key = Key::new();
        for field in Field::ALL {
            let word = s.get(slot_of_field(field));
            if word & PRESENT != 0 {
                match field.is_address() {
                    true => key.v4(field, word as u32),
                    false => key.number(field, word & !PRESENT),
                }
            } else if field.is_address() {
                let base = if field == Field::SrcIp { slot::SOURCE_V6 } else { slot::DEST_V6 };
                if s.get(base) & PRESENT != 0 {
                    let bits = V6_WORDS.iter().enumerate().fold(0u128, |n, (i, (shift, _))| {
                        n | u128::from(s.get(base + i as Slot) & !PRESENT) << shift
                    });
                    key.v6(field, bits);
                }
            }
        }
        key
    }

    /// Frames that get deep into the parser: EtherTypes, versions, protocols and lengths that it knows, then noise.
    fn frame(rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
        let mut f = vec![0u8; rng.random_range(0..120)];
        rng.fill_bytes(&mut f);
        let types: [u16; 7] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8848, 0x0806];
        let mut at = 12;
        for _ in 0..3 {
            let t = types[rng.random_range(0..types.len())];
            if f.len() < at + 4 {
                break;
            }
            f[at..at + 2].copy_from_slice(&t.to_be_bytes());
            at += if t < 0x8100 || t == 0x86dd { 2 } else { 4 };
            if t == 0x0800 || t == 0x86dd || t == 0x8847 {
                break;
            }
        }
        if let Some(b) = f.get_mut(at) {
            *b = [0x45, 0x46, 0x60, 0x6b][rng.random_range(0..4)];
        }
        let protocols = [6, 17, 1, 58, 0, 44, 43, 51];
        for offset in [6, 9, 40] {
            if let Some(b) = f.get_mut(at + offset) {
                *b = protocols[rng.random_range(0..protocols.len())];
            }
        }
        f
    }

    #[test]
    fn words_say_what_the_shared_parser_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut slots = Slots::default();
        let mut fields = 0;
        for _ in 0..20_000 {
            let f = frame(&mut rng);
            let tag = rng.random_bool(0.2).then(|| rng.random());
            let interface = rng.random_bool(0.5).then(|| rng.random());
            slots.load(&f, tag, interface);
            let mut key = csn::packet::parse(&f, tag);
            if let Some(i) = interface {
                key.number(Field::Interface, i.into());
            }
            assert_eq!(key_of(&slots), key);
            fields += key.fields().count();
        }
        assert!(fields > 100_000, "the frames have too few fields to show anything: {fields}");
    }

    #[test]
    fn every_attribute_that_rules_can_test_has_a_place() {
        for a in Attribute::ALL {
            assert_eq!(slot_of(*a).is_some(), a.octets() > 0 && !a.is_variable(), "{}", a.name());
        }
    }

    #[test]
    fn turning_twice_changes_nothing() {
        for place in 0..slot::COUNT as Slot {
            assert_eq!(reversed(reversed(place)), place);
        }
    }
}
