//! What a test of the engine asks of a packet.

use crate::field::Field;
use crate::rtfm::{Attribute, Rule};
use crate::value::{Range, Value, ValueSet};

/// The answer of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// Whatever the packet.
    Always,
    /// For no packet.
    Never,
    /// Where the field has such a value.
    Field(Field, ValueSet),
    /// Where the computed attribute has the value under the mask.
    Computed(Attribute, u8, u8),
}

/// Bits of a mask that may lie between those that count.
const MOST_FREE: u32 = 16;

/// Reads the test of a rule whose attribute is `attribute`, variables replaced; `forward` tells the direction.
///
/// # Errors
/// Why no field can say it.
pub(super) fn test(rule: &Rule, attribute: Attribute, forward: bool) -> Result<Test, String> {
    if rule.mask == 0 || attribute == Attribute::Null {
        // an all-zero mask always succeeds
        return Ok(Test::Always);
    }
    if rule.value & !rule.mask != 0 {
        return Ok(Test::Never);
    }
    match attribute {
        a if a.is_computed() => return Ok(Test::Computed(a, rule.mask as u8, rule.value as u8)),
        Attribute::MatchingStoD if rule.value == 1 => {
            return Ok(if forward { Test::Always } else { Test::Never });
        }
        Attribute::SourcePeerType | Attribute::DestPeerType => return peer_type(rule, attribute),
        _ => {}
    }
    let Some(field) = field_of(attribute) else {
        return Err(format!("no field holds {}", attribute.name()));
    };
    let family = match (field.is_address(), rule.octets) {
        (true, 4) => 4,
        (true, 16) => 6,
        (true, _) => return Ok(Test::Never),
        (false, n) if n == attribute.octets() => 0,
        (false, _) => return Ok(Test::Never),
    };
    let width = if family == 4 { 32 } else { field.width() };
    let set = masked(family, width, rule)?.intersect(&field.domain());
    Ok(if set.is_empty() { Test::Never } else { Test::Field(field, set) })
}

/// IPv4 and IPv6 are families of addresses; other types are never seen.
fn peer_type(rule: &Rule, attribute: Attribute) -> Result<Test, String> {
    let field = if attribute == Attribute::SourcePeerType { Field::SrcIp } else { Field::DstIp };
    let families = [(1, 4), (2, 6)].into_iter().filter(|(number, _)| number & rule.mask == rule.value);
    let ranges = families.map(|(_, family)| Range::prefix(Value { family, bits: 0 }, 0));
    let set = ValueSet::from_ranges(ranges);
    Ok(if set.is_empty() { Test::Never } else { Test::Field(field, set) })
}

fn field_of(attribute: Attribute) -> Option<Field> {
    match attribute {
        Attribute::DestTransType => Some(Field::Proto),
        a => Field::ALL.into_iter().find(|f| Attribute::of_field(*f) == a),
    }
}

/// The values of `width` bits that equal that of the rule under its mask.
fn masked(family: u8, width: u32, rule: &Rule) -> Result<ValueSet, String> {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    if rule.value & !all != 0 {
        return Ok(ValueSet::empty());
    }
    let mask = rule.mask & all;
    // what lies below the lowest bit that counts is a range
    let low = if mask == 0 { all } else { all & ((mask & mask.wrapping_neg()) - 1) };
    let between = all & !mask & !low;
    if between.count_ones() > MOST_FREE {
        return Err(format!("its mask leaves {} bits open between others", between.count_ones()));
    }
    let mut ranges = Vec::new();
    // every subset of the open bits, in ascending order
    let mut open = 0u128;
    loop {
        let lo = (rule.value & all) | open;
        let value = |bits| Value { family, bits };
        ranges.push(Range::new(value(lo), value(lo | low)));
        open = open.wrapping_sub(between) & between;
        if open == 0 {
            return Ok(ValueSet::from_ranges(ranges));
        }
    }
}
