//! The attributes that tell flows apart, and how a packet's values of them are packed into a few words.

use csn::packet::{Sink, extract};
use csn::{Field, Key, Value};

/// Words of the longest key: all fields of an IPv6 packet.
pub const MOST_WORDS: usize = 12;
/// Numbers of a packet: one for each field, and the upper halves of two IPv6 addresses.
const NUMBERS: usize = Field::COUNT + 2;

/// Sets of attributes that have names.
pub const NAMED: [(&str, &[Field]); 4] = [
    ("quintuple", &[Field::SrcIp, Field::DstIp, Field::Proto, Field::SrcPort, Field::DstPort]),
    ("all-ip", &[Field::EtherType]),
    ("src-dst-port", &[Field::EtherType, Field::SrcIp, Field::DstIp, Field::SrcPort, Field::DstPort]),
    ("hosts", &[Field::SrcIp, Field::DstIp]),
];

/// The fields that a text names: a set that has a name, or fields in braces or apart by blanks, commas or `+`. The
/// error is the word that is none.
pub fn parse(text: &str) -> Result<Vec<Field>, String> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}').trim();
    if let Some((_, fields)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(bare)) {
        return Ok(fields.to_vec());
    }
    let words = bare.split(|c: char| c.is_whitespace() || ",+".contains(c)).filter(|w| !w.is_empty());
    let mut fields = Vec::new();
    for word in words {
        let field = Field::from_name(word).ok_or_else(|| word.to_string())?;
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    Ok(fields)
}

/// The fields of the packet at hand. What lies behind absent ones is of packets before.
#[derive(Debug, Default)]
pub struct Seen {
    present: u32,
    numbers: [u64; NUMBERS],
    /// Whether it is an IPv6 packet.
    pub v6: bool,
}

impl Seen {
    /// Takes the fields of a frame; `tag` as in [`csn::packet::parse`].
    #[inline]
    pub fn load(&mut self, frame: &[u8], tag: Option<u16>, interface: Option<u32>) {
        (self.present, self.v6) = (0, false);
        if let Some(index) = interface {
            self.number(Field::Interface, index.into());
        }
        extract(frame, tag, self);
    }
}

impl Sink for Seen {
    #[inline(always)]
    fn number(&mut self, field: Field, value: u64) {
        self.present |= 1 << field as u32;
        self.numbers[field as usize] = value;
    }

    #[inline(always)]
    fn v4(&mut self, field: Field, address: u32) {
        self.number(field, address.into());
    }

    #[inline(always)]
    fn v6(&mut self, field: Field, address: u128) {
        self.number(field, address as u64);
        self.numbers[upper(field)] = (address >> 64) as u64;
        self.v6 = true;
    }
}

/// Where the upper half of an IPv6 address lies.
const fn upper(field: Field) -> usize {
    if matches!(field, Field::SrcIp) { Field::COUNT } else { Field::COUNT + 1 }
}

/// A number of a packet, and its place in a key.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The number.
    from: u8,
    /// The field that has to be there.
    field: u8,
    word: u8,
    shift: u8,
}

/// How keys of one IP version are laid out: first a bit for each attribute, set where the packet has it.
#[derive(Clone, Debug)]
pub struct Layout {
    fields: Vec<Field>,
    parts: Vec<Part>,
    /// Words of a key.
    pub words: usize,
    v6: bool,
}

impl Layout {
    /// The layout for packets of IPv6, or for all others.
    pub fn new(fields: &[Field], v6: bool) -> Self {
        let mut pieces: Vec<(usize, Field, u32)> = Vec::new();
        for field in fields {
            match (field.is_address(), v6) {
                (true, true) => pieces.extend([(*field as usize, *field, 64), (upper(*field), *field, 64)]),
                (true, false) => pieces.push((*field as usize, *field, 32)),
                _ => pieces.push((*field as usize, *field, field.width())),
            }
        }
        // the widest first, each into the first word that has room
        pieces.sort_by_key(|(_, _, width)| std::cmp::Reverse(*width));
        let mut used = vec![fields.len() as u32];
        let mut parts = Vec::new();
        for (from, field, width) in pieces {
            let word = used.iter().position(|u| u + width <= 64).unwrap_or_else(|| {
                used.push(0);
                used.len() - 1
            });
            let (from, field, shift) = (from as u8, field as u8, used[word] as u8);
            parts.push(Part { from, field, word: word as u8, shift });
            used[word] += width;
        }
        Self { fields: fields.to_vec(), parts, words: used.len(), v6 }
    }

    /// Packs what a packet has. Words behind the key's own are left alone.
    #[inline]
    pub fn pack(&self, seen: &Seen, key: &mut [u64; MOST_WORDS]) {
        key[..self.words].fill(0);
        for (bit, field) in self.fields.iter().enumerate() {
            key[0] |= u64::from(seen.present >> *field as u32 & 1) << bit;
        }
        for part in &self.parts {
            // all ones where the packet has the field
            let has = 0u64.wrapping_sub(u64::from(seen.present >> part.field & 1));
            let number = seen.numbers[usize::from(part.from) % NUMBERS] & has;
            key[usize::from(part.word) % MOST_WORDS] |= number << part.shift;
        }
    }

    /// What a key says.
    pub fn unpack(&self, key: &[u64]) -> Seen {
        let mut seen = Seen { v6: self.v6, ..Seen::default() };
        for (bit, field) in self.fields.iter().enumerate() {
            seen.present |= ((key[0] >> bit & 1) as u32) << *field as u32;
        }
        for part in &self.parts {
            let whole = part.from as usize >= Field::COUNT || self.v6 && is_address(part.field);
            let width = match Field::ALL[usize::from(part.field)] {
                _ if whole => 64,
                f if f.is_address() => 32,
                f => f.width(),
            };
            let mask = u64::MAX >> (64 - width);
            seen.numbers[usize::from(part.from)] = key[usize::from(part.word)] >> part.shift & mask;
        }
        seen
    }
}

fn is_address(field: u8) -> bool {
    Field::ALL[usize::from(field)].is_address()
}

impl Seen {
    /// The fields as a key of the notation.
    pub fn key(&self) -> Key {
        let mut key = Key::new();
        for field in Field::ALL.into_iter().filter(|f| self.present >> *f as u32 & 1 == 1) {
            let low = u128::from(self.numbers[field as usize]);
            let value = match (field.is_address(), self.v6) {
                (true, true) => Value { family: 6, bits: u128::from(self.numbers[upper(field)]) << 64 | low },
                (true, false) => Value { family: 4, bits: low },
                _ => Value::number(low),
            };
            key.set(field, value);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::sample::{Frames, Random, rule_set};

    #[test]
    fn keys_say_what_the_shared_parser_says() {
        let mut random = Random::new(5);
        let rules = rule_set(&mut random, 40, &Field::ALL);
        let frames = Frames::new(&rules);
        let (mut seen, mut fields) = (Seen::default(), 0);
        for n in 0..5000u32 {
            let attributes: Vec<Field> = Field::ALL.into_iter().filter(|_| random.chance(60)).collect();
            let frame = frames.draw(&mut random).bytes;
            let interface = random.chance(50).then_some(n % 7);
            seen.load(&frame, None, interface);
            let mut all = csn::packet::parse(&frame, None);
            if let Some(index) = interface {
                all.set_number(Field::Interface, index.into());
            }
            let mut wanted = Key::new();
            for (field, value) in all.fields().filter(|(f, _)| attributes.contains(f)) {
                wanted.set(field, value);
            }
            let layout = Layout::new(&attributes, seen.v6);
            let mut key = [u64::MAX; MOST_WORDS];
            layout.pack(&seen, &mut key);
            assert_eq!(layout.unpack(&key).key(), wanted);
            fields += wanted.fields().count();
        }
        assert!(fields > 25_000, "the frames have too few fields to show anything: {fields}");
    }

    #[test]
    fn the_longest_key_has_room_and_the_usual_one_is_short() {
        assert!(Layout::new(&Field::ALL, true).words <= MOST_WORDS);
        assert_eq!(Layout::new(NAMED[0].1, false).words, 2);
        assert_eq!(Layout::new(&[], false).words, 1);
    }

    #[test]
    fn sets_are_named_or_listed() {
        assert_eq!(parse("All-IP"), Ok(vec![Field::EtherType]));
        assert_eq!(parse("{srcip, dstport}"), parse("srcip + DstPort srcip"));
        assert_eq!(parse("{}"), Ok(vec![]));
        assert_eq!(parse("srcip, port"), Err("port".into()));
    }
}
