//! A packet as text, for `explain --packet`.

use super::context::Context;
use super::names::Names;
use crate::ast::{Item, Sign};
use crate::check;
use crate::codes;
use crate::diagnostic::{Diagnostic, FileId, Severity, Span};
use crate::field::Field;
use crate::key::Key;
use crate::packet::{MPLS_TYPES, fragment};
use crate::parse;
use crate::report::Report;
use crate::value::{Value, ValueSet};

/// The packet that a text such as `srcip = 10.0.0.1, dstport = 53` describes; places in diagnostics count from the
/// start of the text.
///
/// Fields that follow from others are filled in: `ethertype` from the family of an address (or from an MPLS
/// label), `dscp` and `tos` from each other, and `fragment = no` where there is an address.
pub fn parse_packet(text: &str) -> Result<Key, Vec<Diagnostic>> {
    let mut report = Report::default();
    let items = parse::list(FileId(0), text, &mut report);
    if items.is_empty() && report.errors == 0 {
        report.add(
            &codes::NO_ITEM,
            Span::default(),
            "this describes no packet",
            "there is no field in it",
            "write for example `srcip = 10.0.0.1, proto = udp, dstport = 53`",
        );
    }
    let names = Names::default();
    let mut cx = Context::new(&names, report);
    let mut key = Key::new();
    let mut spans: Vec<(Field, Span)> = Vec::new();
    for item in &items {
        if let Some((field, value, span)) = cx.packet_field(item) {
            match spans.iter().find(|(f, _)| *f == field) {
                Some((_, first)) => {
                    let first = *first;
                    cx.repeated(field.name(), first, span);
                }
                None => spans.push((field, span)),
            }
            key.set(field, value);
        }
    }
    let tests: Vec<_> = key.fields().map(|(f, v)| (f, ValueSet::single(v))).collect();
    if let Some(found) = check::contradiction(&tests, &spans) {
        cx.report.push(found);
    }
    cx.report.sort();
    let findings = cx.report.diagnostics;
    if findings.iter().any(|d| d.severity == Severity::Error) {
        return Err(findings);
    }
    fill_in(&mut key);
    Ok(key)
}

impl Context<'_> {
    fn packet_field(&mut self, item: &Item) -> Option<(Field, Value, Span)> {
        let s = match item {
            Item::Setting(s) => s,
            Item::Bare(e) => {
                self.add(
                    &codes::SHAPE,
                    e.span,
                    format!("{} is no field", e.describe()),
                    "a packet is described by `field = value`",
                    "write a field and `=` before it",
                );
                return None;
            }
        };
        if s.sign != Sign::EQUAL {
            self.wrong_sign(s, "a packet has one value in each field", "write `=`");
            return None;
        }
        let field = self.field_named(&s.name.text, s.name.span)?;
        Some((field, self.single(field, &s.value)?, s.span))
    }
}

fn fill_in(key: &mut Key) {
    let address = key.get(Field::SrcIp).or(key.get(Field::DstIp));
    let dscp = key.get(Field::Tos).map(|tos| tos.bits >> 2);
    let tos = key.get(Field::Dscp).map(|dscp| dscp.bits << 2);
    let ether_type = match key.get(Field::Mpls) {
        Some(_) => Some(MPLS_TYPES[0]),
        None => address.map(check::ether_type_of),
    };
    for (field, bits) in [
        (Field::EtherType, ether_type.map(u128::from)),
        (Field::Dscp, dscp),
        (Field::Tos, tos),
        (Field::Fragment, address.map(|_| fragment::NO)),
    ] {
        if let (None, Some(bits)) = (key.get(field), bits) {
            key.set_number(field, bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_other_fields_is_filled_in() {
        let key = parse_packet("srcip = 10.0.0.1, proto = udp, dstport = dns, dscp = ef").unwrap();
        assert_eq!(
            key.to_string(),
            "ethertype = 2048, srcip = 10.0.0.1, proto = 17, dscp = 46, tos = 184, fragment = 0, dstport = 53"
        );
        let key = parse_packet("srcip = 2001:db8::1, tos = 185, fragment = later").unwrap();
        assert_eq!(key.get(Field::EtherType), Some(Value::number(0x86dd)));
        assert_eq!(key.get(Field::Dscp), Some(Value::number(46)));
        assert_eq!(key.get(Field::Fragment), Some(Value::number(2)));
        let key = parse_packet("srcip = 10.0.0.1, mpls = 16").unwrap();
        assert_eq!(key.get(Field::EtherType), Some(Value::number(0x8847)));
        assert_eq!(parse_packet("vlan = 5;").unwrap().fields().count(), 1);
    }

    #[test]
    fn mistakes_are_all_reported_with_their_places() {
        let found =
            parse_packet("srcip = 10.0.0.0/8, dstprot = 53, proto = icmp, srcport = 1, both").unwrap_err();
        let places: Vec<_> = found.iter().map(|d| (d.code, d.span.start)).collect();
        assert_eq!(places, [("E112", 8), ("E110", 20), ("E204", 48), ("E013", 61)]);
        assert!(parse_packet("").is_err());
    }
}
