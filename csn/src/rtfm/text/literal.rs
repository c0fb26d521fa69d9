//! Masks and values: dotted decimal, hex pairs with hyphens, numbers, symbols, IPv6 text.

use crate::packet;
use crate::rtfm::Attribute;
use std::fmt::Write;
use std::net::Ipv6Addr;

/// A mask or value as written.
pub(crate) enum Literal {
    /// One number, which fills the whole attribute from the right.
    Number(u128),
    /// Octets from the left; what is missing is zero.
    Octets(Vec<u8>),
}

impl Literal {
    /// How many octets are written; none for a number, which takes the width of the attribute.
    pub(crate) fn octets(&self) -> Option<usize> {
        match self {
            Literal::Number(_) => None,
            Literal::Octets(o) => Some(o.len()),
        }
    }

    /// The big-endian integer of `octets` octets.
    pub(crate) fn bits(&self, octets: usize) -> Result<u128, String> {
        match self {
            Literal::Number(n) if octets < 16 && n >> (8 * octets) != 0 => {
                Err(format!("{n} does not fit into {octets} octets"))
            }
            Literal::Number(n) => Ok(*n),
            Literal::Octets(o) if o.len() > octets => {
                Err(format!("{} octets are written where {octets} fit", o.len()))
            }
            Literal::Octets(o) => {
                Ok(o.iter().chain(std::iter::repeat(&0)).take(octets).fold(0, |n, b| n << 8 | u128::from(*b)))
            }
        }
    }

    /// Reads what stands for a mask or value of `attribute`.
    pub(crate) fn parse(text: &str, attribute: Attribute) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a mask or value is missing".into());
        }
        if let Some(n) = symbol(text, attribute) {
            return Ok(Literal::Number(n));
        }
        if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            let n =
                u128::from_str_radix(hex, 16).map_err(|_| format!("`{text}` is not a hexadecimal number"))?;
            return Ok(Literal::Number(n));
        }
        if let [b'\'', c, b'\''] = text.as_bytes() {
            return Ok(Literal::Number(u128::from(*c)));
        }
        if text.contains(':') {
            let address: Ipv6Addr = text.parse().map_err(|_| format!("`{text}` is not an IPv6 address"))?;
            return Ok(Literal::Octets(address.octets().to_vec()));
        }
        if text.contains(['.', '-', '!']) {
            return fields(text).map(Literal::Octets);
        }
        text.parse().map(Literal::Number).map_err(|_| {
            format!(
                "`{text}` is neither a number, nor octets such as 255.255 or 0a-ff, nor a name known here"
            )
        })
    }
}

/// Fields joined by type characters: `.` follows a decimal octet, `-` a hexadecimal one, `!` a decimal number of
/// 16 bits; the last field is like the one before it (RFC 2723 §3.1).
fn fields(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut kind = '.';
    for piece in text.split_inclusive(['.', '-', '!']) {
        let digits = piece.trim_end_matches(['.', '-', '!']);
        kind = piece[digits.len()..].chars().next().unwrap_or(kind);
        let wrong = |what: &str| format!("`{digits}` in `{text}` is not {what}");
        match kind {
            '.' => out.push(digits.parse().map_err(|_| wrong("a decimal octet, 0 to 255"))?),
            '-' => {
                out.push(u8::from_str_radix(digits, 16).map_err(|_| wrong("a pair of hexadecimal digits"))?)
            }
            _ => {
                let n: u16 = digits.parse().map_err(|_| wrong("a number up to 65535"))?;
                out.extend(n.to_be_bytes());
            }
        }
    }
    if out.len() > 16 {
        return Err(format!("`{text}` has more than 16 octets"));
    }
    Ok(out)
}

const PEER_TYPES: &[(&str, u128)] =
    &[("ip", 1), ("ipv4", 1), ("ipv6", 2), ("nsap", 3), ("ipx", 11), ("appletalk", 12), ("decnet", 13)];
const ADJACENT_TYPES: &[(&str, u128)] = &[("ip", 1), ("ethernet", 7), ("tokenring", 9), ("fddi", 15)];
const PROTOCOLS: &[(&str, u128)] = &[
    ("icmp", packet::ICMP as u128),
    ("igmp", 2),
    ("tcp", packet::TCP as u128),
    ("udp", packet::UDP as u128),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", packet::ICMPV6 as u128),
    ("ospf", 89),
    ("sctp", 132),
    ("udplite", 136),
];
const PORTS: &[(&str, u128)] = &[
    ("ftpdata", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("dns", 53),
    ("gopher", 70),
    ("www", 80),
    ("http", 80),
    ("pop3", 110),
    ("nntp", 119),
    ("ntp", 123),
    ("snmp", 161),
    ("https", 443),
];

/// What a name stands for as a value of `attribute`; a variable takes the names of attributes (Assign).
fn symbol(text: &str, attribute: Attribute) -> Option<u128> {
    let table: &[(&str, u128)] = match attribute {
        Attribute::SourcePeerType | Attribute::DestPeerType => PEER_TYPES,
        Attribute::SourceAdjacentType | Attribute::DestAdjacentType => ADJACENT_TYPES,
        Attribute::SourceTransType | Attribute::DestTransType => PROTOCOLS,
        Attribute::SourceTransAddress | Attribute::DestTransAddress => PORTS,
        v if v.is_variable() => return Attribute::from_name(text).map(|a| a as u16 as u128),
        _ => return None,
    };
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, n)| *n)
}

fn octets_of(bits: u128, octets: u8) -> Vec<u8> {
    bits.to_be_bytes()[16 - usize::from(octets)..].to_vec()
}

fn joined(bits: u128, octets: u8) -> String {
    let mut out = String::new();
    for (i, o) in octets_of(bits, octets).into_iter().enumerate() {
        let _ = if octets > 4 {
            write!(out, "{}{o:02x}", if i > 0 { "-" } else { "" })
        } else {
            write!(out, "{}{o}", if i > 0 { "." } else { "" })
        };
    }
    out
}

/// The mask as rule files write it; its width can be read back.
pub(super) fn mask_text(attribute: Attribute, octets: u8, mask: u128) -> String {
    if octets == 1 || (mask == 0 && !attribute.is_variable() && octets != 16) {
        mask.to_string()
    } else {
        joined(mask, octets)
    }
}

/// The value as rule files write it, beside a mask of the same width.
pub(super) fn value_text(attribute: Attribute, octets: u8, value: u128) -> String {
    let plain = matches!(attribute.octets(), 1 | 2 | 4);
    if octets == 1 || plain || value == 0 { value.to_string() } else { joined(value, octets) }
}
