//! Values of fields: literals, words, ranges, prefixes, masks and sets, typed by the field that they are for.

use super::context::{Context, MAX_LISTED};
use super::words;
use crate::ast::{Expr, ExprKind, Name, Number};
use crate::codes;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::value::{Range, Value, ValueSet};
use std::net::IpAddr;

/// How many names may lead to each other in sets.
const MAX_DEPTH: usize = 32;

impl Context<'_> {
    /// The set of values that an expression stands for in a field; none if that is in error.
    pub(crate) fn set(&mut self, field: Field, e: &Expr) -> Option<ValueSet> {
        let mut ranges = Vec::new();
        self.ranges(field, e, &mut ranges)?;
        Some(ValueSet::from_ranges(ranges))
    }

    /// What `each` goes through: the values of a range or prefix, the members of a set as they are written.
    pub(crate) fn members(&mut self, field: Field, e: &Expr) -> Option<Vec<ValueSet>> {
        let mut out = Vec::new();
        let followed = self.follow(e);
        match &followed.kind {
            ExprKind::Set(_) => self.members_of_set(field, followed, &mut out, e.span)?,
            _ => {
                let set = self.set(field, e)?;
                let count = set.len();
                if count > MAX_LISTED as u128 {
                    self.too_many(e.span, count);
                    return None;
                }
                out.extend((0..count).filter_map(|n| set.nth(n)).map(ValueSet::single));
            }
        }
        Some(out)
    }

    fn members_of_set(&mut self, field: Field, e: &Expr, out: &mut Vec<ValueSet>, whole: Span) -> Option<()> {
        let ExprKind::Set(members) = &e.kind else {
            out.push(self.set(field, e)?);
            return Some(());
        };
        let mut ok = self.deeper(e.span);
        if ok.is_some() {
            self.empty_set(e, members);
            ok = (!members.is_empty()).then_some(());
            for m in members {
                // a name in a set stands for its members
                let m = self.follow(m);
                let fine = self.members_of_set(field, m, out, whole);
                ok = ok.and(fine);
                // sets that hold sets twice, and those again, would be gone through for ever
                if fine.is_none() && matches!(m.kind, ExprKind::Set(_)) {
                    break;
                }
                if out.len() > MAX_LISTED {
                    self.too_many(whole, out.len() as u128);
                    ok = None;
                    break;
                }
            }
        }
        self.depth -= 1;
        ok
    }

    /// Counts one level more; the caller counts it off again.
    fn deeper(&mut self, span: Span) -> Option<()> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Some(());
        }
        self.add(
            &codes::DEPTH,
            span,
            format!("names lead to each other more than {MAX_DEPTH} deep"),
            "the notation is flat",
            "define one set",
        );
        None
    }

    pub(super) fn too_many(&mut self, span: Span, count: u128) {
        self.add(
            &codes::TOO_MANY,
            span,
            format!("these are {count} values"),
            format!("at most {MAX_LISTED} are listed one by one"),
            "go through fewer values",
        );
    }

    fn empty_set(&mut self, e: &Expr, members: &[Expr]) {
        if members.is_empty() {
            self.add(
                &codes::EMPTY,
                e.span,
                "this set is empty",
                "no value is in it",
                "write at least one value",
            );
        }
    }

    /// Adds the intervals of an expression. Every part is looked at, so that every mistake is found.
    fn ranges(&mut self, field: Field, e: &Expr, out: &mut Vec<Range>) -> Option<()> {
        match &e.kind {
            ExprKind::Set(members) => {
                self.empty_set(e, members);
                let mut ok = (!members.is_empty()).then_some(());
                for m in members {
                    let fine = self.ranges(field, m, out);
                    ok = ok.and(fine);
                }
                ok
            }
            ExprKind::Word(w) => {
                let set = self.word(field, w, e)?;
                out.extend(set.ranges());
                Some(())
            }
            ExprKind::Range(a, b) => {
                let (lo, hi) = (self.single(field, a), self.single(field, b));
                out.push(self.interval(lo?, hi?, e.span)?);
                Some(())
            }
            ExprKind::Slash(a, b) if field.is_address() => {
                out.push(self.prefix(field, a, b)?);
                Some(())
            }
            ExprKind::Slash(a, b) if field != Field::Fragment => self.masked(field, a, b, e.span, out),
            _ => {
                let v = self.literal(field, e)?;
                out.push(Range { lo: v, hi: v });
                Some(())
            }
        }
    }

    /// A word of the field, or what a defined name stands for.
    fn word(&mut self, field: Field, w: &str, e: &Expr) -> Option<ValueSet> {
        let names = self.names;
        if let Some(definition) = names.get(w) {
            let key = (w.to_owned(), field);
            if let Some(known) = self.known.get(&key) {
                return known.clone();
            }
            let deep = self.deeper(e.span);
            let before = self.report.diagnostics.len();
            let set = deep.and_then(|()| self.set(field, definition));
            self.depth -= 1;
            for d in &mut self.report.diagnostics[before..] {
                d.relate(e.span, format!("used for `{field}` here"));
            }
            self.known.insert(key, set.clone());
            return set;
        }
        let number = words::find(field, w);
        if number.is_none() {
            let known: Vec<&str> = words::of(field).iter().map(|(w, _)| *w).collect();
            self.unknown_word(w, e.span, &wanted(field), &known);
        }
        Some(ValueSet::single(Value::number(u128::from(number?))))
    }

    /// The one value of an expression: the end of a range, or a field of a packet.
    pub(crate) fn single(&mut self, field: Field, e: &Expr) -> Option<Value> {
        let set = self.set(field, e)?;
        let value = set.as_single();
        if value.is_none() {
            self.add(
                &codes::WRONG_KIND,
                e.span,
                format!("expected one value, found {} values", set.len()),
                "this place needs one value",
                "write one value",
            );
        }
        value
    }

    fn interval(&mut self, lo: Value, hi: Value, span: Span) -> Option<Range> {
        if lo.family != hi.family {
            self.add(
                &codes::MIXED_FAMILIES,
                span,
                "this range goes from one address family to another",
                "nothing lies between them",
                "write one range for each family, in a set",
            );
            return None;
        }
        if lo > hi {
            self.upside_down(span, &lo.to_string(), &hi.to_string());
            return None;
        }
        Some(Range { lo, hi })
    }

    pub(super) fn upside_down(&mut self, span: Span, lo: &str, hi: &str) {
        self.add(
            &codes::UPSIDE_DOWN,
            span,
            "this range is upside down",
            format!("{lo} comes after {hi}"),
            format!("write `{hi}..{lo}`"),
        );
    }

    fn prefix(&mut self, field: Field, address: &Expr, length: &Expr) -> Option<Range> {
        let value = self.single(field, address);
        let length_at = length;
        let length = match &self.follow(length).kind {
            ExprKind::Number(Number { whole: Some(n), unit: None, .. }) => Some(*n),
            ExprKind::Address(mask) => {
                self.netmask(length, *mask);
                None
            }
            _ => {
                self.wrong_kind(length, "a prefix length", &[]);
                None
            }
        };
        let (value, length) = (value?, length?);
        let width = if value.family == 4 { 32 } else { 128 };
        if length > width {
            self.out_of_range(length_at.span, &format!("/{length}"), "a prefix length", 0, width);
            return None;
        }
        let range = Range::prefix(value, length as u32);
        if range.lo != value {
            self.add(
                &codes::HOST_BITS,
                address.span.to(length_at.span),
                format!("bits behind the prefix length are set in {value}/{length}"),
                "they are ignored",
                format!("write {}/{length}, or the length that was meant", range.lo),
            );
        }
        Some(range)
    }

    /// Reports a mask of addresses, with the prefix length that it stands for.
    fn netmask(&mut self, e: &Expr, mask: IpAddr) {
        let (width, bits) = match mask {
            IpAddr::V4(a) => (32, u128::from(a.to_bits()) << 96),
            IpAddr::V6(a) => (128, a.to_bits()),
        };
        let length = bits.leading_ones().min(width);
        let cure = match bits.checked_shl(length) {
            None | Some(0) => format!("write `/{length}`"),
            // a wildcard mask has its ones where a mask has its zeros
            Some(_) if width == 32 && (bits >> 96).count_ones() == (bits >> 96).trailing_ones() => {
                format!("write `/{}`, if it is meant as a wildcard mask", 32 - (bits >> 96).count_ones())
            }
            Some(_) => "write the addresses as prefixes or ranges, in a set".into(),
        };
        self.add(
            &codes::WRONG_KIND,
            e.span,
            format!("expected a prefix length, found the address {mask}"),
            "addresses are compared by their first bits",
            cure,
        );
    }

    /// `value/mask`: all values of the field whose masked bits are those of the value.
    fn masked(&mut self, field: Field, a: &Expr, b: &Expr, span: Span, out: &mut Vec<Range>) -> Option<()> {
        let (value, mask) = (self.single(field, a), self.single(field, b));
        let (value, mask) = (value?.bits, mask?.bits);
        if value & !mask != 0 {
            let cure = match field.width() {
                // on a MAC address, `/24` is meant as a length
                48 if mask <= 48 => format!("write the mask as an address: {}", mac_mask(mask as u32)),
                _ => "add the bits to the mask, or take them out of the value".into(),
            };
            let reason = format!("{value:#04x} is not within {mask:#04x}");
            self.add(&codes::MASK, span, "the value has bits that the mask leaves out", reason, cure);
            return None;
        }
        let free = ((1u128 << field.width()) - 1) & !mask;
        // the free bits at the low end make one interval; every other one doubles the number of intervals
        let low = free.trailing_ones();
        let high = free >> low << low;
        let count = 1u128 << high.count_ones();
        if count > MAX_LISTED as u128 {
            self.too_many(span, count);
            return None;
        }
        let mut bits = 0;
        loop {
            out.push(Range::numbers(value | bits, value | bits | ((1 << low) - 1)));
            // the next larger number made of the bits of `high`
            bits = bits.wrapping_sub(high) & high;
            if bits == 0 {
                return Some(());
            }
        }
    }

    fn literal(&mut self, field: Field, e: &Expr) -> Option<Value> {
        let value = match &e.kind {
            ExprKind::Address(a) if field.is_address() => return Some(Value::ip(*a)),
            ExprKind::Mac(m) if is_mac(field) => return Some(Value::number(u128::from(*m))),
            ExprKind::Flags(names) if field == Field::TcpFlags => return self.flags(names),
            ExprKind::Number(n) if !field.is_address() => self.number(field, n, e)?,
            _ => {
                let known: Vec<&str> = words::of(field).iter().map(|(w, _)| *w).collect();
                self.wrong_kind(e, &wanted(field), &known);
                return None;
            }
        };
        let domain = field.domain();
        let limit = domain.ranges().last().map_or(0, |r| r.hi.bits);
        if value > limit {
            self.out_of_range(e.span, &value.to_string(), &format!("`{field}`"), 0, limit);
            return None;
        }
        Some(Value::number(value))
    }

    /// A bare whole number; `length` may say that it counts bytes.
    fn number(&mut self, field: Field, n: &Number, e: &Expr) -> Option<u128> {
        if let Some(unit) = &n.unit
            && !(field == Field::Length && unit.name.text == "B" && unit.layer.is_none())
        {
            let cure = match unit.name.text.to_ascii_lowercase().as_str() {
                "both" => "write `,` before `both`".to_owned(),
                _ => format!("write {} alone", n.text),
            };
            let reason = format!("`{field}` is a number without unit");
            let message = format!("`{}` is not a unit of `{field}`", unit.name.text);
            self.add(&codes::UNIT, unit.name.span, message, reason, cure);
            return None;
        }
        if n.whole.is_none() {
            self.wrong_kind(e, &wanted(field), &[]);
        }
        n.whole
    }

    fn flags(&mut self, names: &[Name]) -> Option<Value> {
        let mut bits = Some(0);
        for n in names {
            match words::find(Field::TcpFlags, &n.text) {
                Some(flag) => bits = bits.map(|b| b | u128::from(flag)),
                None => {
                    let known: Vec<&str> = words::of(Field::TcpFlags).iter().map(|(w, _)| *w).collect();
                    self.unknown_word(&n.text, n.span, "a flag of TCP", &known);
                    bits = None;
                }
            }
        }
        bits.map(Value::number)
    }

    /// Reports a number outside of its limits.
    pub(crate) fn out_of_range(&mut self, span: Span, found: &str, of: &str, lo: u128, hi: u128) {
        self.add(
            &codes::OUT_OF_RANGE,
            span,
            format!("{found} is not possible for {of}"),
            format!("it goes from {lo} to {hi}"),
            format!("write a value from {lo} to {hi}"),
        );
    }
}

/// The mask of the first `length` bits of a MAC address.
fn mac_mask(length: u32) -> String {
    let bits = (0xffff_ffff_ffffu64 << (48 - length.min(48))) & 0xffff_ffff_ffff;
    let octets = bits.to_be_bytes();
    octets[2..].iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":")
}

fn is_mac(field: Field) -> bool {
    matches!(field, Field::SrcMac | Field::DstMac)
}

/// What a field needs, in people's words.
fn wanted(field: Field) -> String {
    match field {
        Field::SrcIp | Field::DstIp => "an address or prefix".into(),
        Field::SrcMac | Field::DstMac => "a MAC address".into(),
        Field::SrcPort | Field::DstPort => "a port".into(),
        Field::Proto => "a protocol".into(),
        Field::Dscp => "a code point".into(),
        Field::TcpFlags => "flags of TCP".into(),
        Field::EtherType => "an EtherType".into(),
        Field::Fragment => "`no`, `first` or `later`".into(),
        Field::Interface => "the index of an interface (`ip link` shows it)".into(),
        _ => format!("a number for `{field}`"),
    }
}
