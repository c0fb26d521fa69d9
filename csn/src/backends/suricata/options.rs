//! Values as rules of Suricata write them.

use crate::backends::alternatives::Alternative;
use crate::field::Field;
use crate::value::{Range, Value, ValueSet};

/// A list of addresses.
pub(super) fn addresses(set: &ValueSet) -> String {
    if *set == Field::SrcIp.domain() {
        return "any".into();
    }
    list(&set.ranges().iter().flat_map(address_range).collect::<Vec<_>>())
}

fn address_range(r: &Range) -> Vec<String> {
    let width = if r.lo.family == 4 { 32 } else { 128 };
    match ValueSet::from(*r).prefixes(width).as_slice() {
        // all of one version would be read as `any`, which is both
        [p] if p.len == 0 => {
            let half = Value { bits: 1 << (width - 1), ..r.lo };
            vec![format!("{}/1", p.value), format!("{half}/1")]
        }
        [p] if p.len == width => vec![p.value.to_string()],
        [p] => vec![format!("{}/{}", p.value, p.len)],
        _ => vec![format!("{}-{}", r.lo, r.hi)],
    }
}

/// A list of ports.
pub(super) fn ports(set: &ValueSet) -> String {
    if *set == Field::SrcPort.domain() {
        return "any".into();
    }
    let one = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => lo.to_string(),
        (lo, hi) => format!("{lo}:{hi}"),
    };
    list(&set.ranges().iter().map(one).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    if let [one] = items { one.clone() } else { format!("[{}]", items.join(",")) }
}

/// One range of an octet; nothing where it is all of them.
pub(super) fn range(keyword: &str, r: &Range) -> String {
    match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("{keyword}:{lo}; "),
        (0, 255) => String::new(),
        (0, hi) => format!("{keyword}:<{}; ", hi + 1),
        (lo, 255) => format!("{keyword}:>{}; ", lo - 1),
        (lo, hi) => format!("{keyword}:>{}; {keyword}:<{}; ", lo - 1, hi + 1),
    }
}

/// The combinations of keywords that together stand for the other tests.
pub(super) fn keywords(a: &Alternative) -> Result<Vec<String>, String> {
    let mut out = vec![String::new()];
    for (field, set) in &a.tests {
        let all = |name: &str| set.ranges().iter().map(|r| range(name, r)).collect::<Vec<_>>();
        let pieces = match field {
            Field::Ttl => all("ttl"),
            Field::IcmpType => all("itype"),
            Field::IcmpCode => all("icode"),
            Field::TcpFlags => flags(set),
            _ => continue,
        };
        if out.len() * pieces.len() > super::MOST {
            return Err(format!("it would become more than {} rules of Suricata", super::MOST));
        }
        out = out.iter().flat_map(|o| pieces.iter().map(move |p| format!("{o}{p}"))).collect();
    }
    Ok(out)
}

/// Flags from bit 0 on.
const FLAGS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

fn letters(bits: u8) -> String {
    (0..8).filter(|i| bits >> i & 1 == 1).map(|i| FLAGS[i]).collect()
}

/// The keyword for a value, some bits ignored.
fn flag(value: u8, ignored: u8) -> String {
    let value = if value == 0 { "0".to_string() } else { letters(value) };
    if ignored == 0 {
        format!("tcp.flags:{value}; ")
    } else {
        format!("tcp.flags:{value},{}; ", letters(ignored))
    }
}

/// One keyword where the set is that of a mask, else one for each value. That none of some bits is set has no keyword
/// (`0` leaves no bit to ignore): then it is either no bit at all, or the others by the lowest of them that is set.
fn flags(set: &ValueSet) -> Vec<String> {
    let values: Vec<u8> = (0..=255u8).filter(|v| set.contains(Value::number(u128::from(*v)))).collect();
    let base = values.first().copied().unwrap_or(0);
    let open = values.iter().fold(0, |open, v| open | (v ^ base));
    if values.len() != 1 << open.count_ones() {
        return values.iter().map(|v| flag(*v, 0)).collect();
    }
    if open == u8::MAX {
        return vec![String::new()];
    }
    if base & !open != 0 {
        return vec![flag(base & !open, open)];
    }
    let lowest = (0..8).map(|i| 1u8 << i).filter(|bit| open & bit != 0);
    // what is ignored lies above the bit
    std::iter::once(flag(0, 0)).chain(lowest.map(|bit| flag(bit, open & !(bit | (bit - 1))))).collect()
}
