//! What nftables compares, once: written as text and as JSON.

use crate::value::{Range, Value, ValueSet};
use std::fmt::Write;

/// The left side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// A field of a header: `udp dport`.
    Payload(&'static str, &'static str),
    /// What the kernel knows of the packet: `meta l4proto`.
    Meta(&'static str),
    /// Bits from a header on, by their offset and number, under a mask: `@nh,0,16 & 0xff0`.
    Raw { base: &'static str, offset: u32, bits: u32, mask: u32 },
    /// A field of a header under a mask: `ip frag-off & 0x1fff`.
    Masked(&'static str, &'static str, u32),
    /// Whether an IPv6 extension header is there.
    Exists(&'static str),
    /// A field of an IPv6 extension header.
    Extension(&'static str, &'static str),
}

/// One comparison of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) left: Left,
    /// Accept all but the set.
    pub(super) not: bool,
    pub(super) set: ValueSet,
}

impl Match {
    pub(super) fn new(left: Left, set: ValueSet) -> Self {
        Self { left, not: false, set }
    }

    /// The shorter one of the set and its complement within `domain`.
    pub(super) fn shorter(left: Left, set: &ValueSet, domain: &ValueSet) -> Self {
        let rest = domain.subtract(set);
        let not = !rest.is_empty() && rest.ranges().len() < set.ranges().len();
        Self { left, not, set: if not { rest } else { set.clone() } }
    }

    pub(super) fn text(&self, out: &mut String) {
        self.left.text(out);
        if let Left::Exists(_) = self.left {
            let there = self.set.contains(Value::number(1));
            out.push_str(if there { " exists" } else { " missing" });
            return;
        }
        match (&self.left, self.not) {
            (_, true) => out.push_str(" != "),
            (Left::Raw { .. } | Left::Masked(..), false) => out.push_str(" == "),
            (_, false) => out.push(' '),
        }
        match self.set.ranges() {
            [one] => self.left.range(*one, false, out),
            many => {
                for (i, r) in many.iter().enumerate() {
                    out.push_str(if i == 0 { "{ " } else { ", " });
                    self.left.range(*r, false, out);
                }
                out.push_str(" }");
            }
        }
    }

    pub(super) fn json(&self, out: &mut String) {
        let op = if self.not { "!=" } else { "==" };
        let _ = write!(out, r#"{{"match": {{"op": "{op}", "left": "#);
        self.left.json(out);
        out.push_str(r#", "right": "#);
        match self.set.ranges() {
            [one] if matches!(self.left, Left::Exists(_)) => {
                let _ = write!(out, "{}", one.lo.bits == 1);
            }
            [one] => self.left.range(*one, true, out),
            many => {
                for (i, r) in many.iter().enumerate() {
                    out.push_str(if i == 0 { r#"{"set": ["# } else { ", " });
                    self.left.range(*r, true, out);
                }
                out.push_str("]}");
            }
        }
        out.push_str("}}");
    }
}

impl Left {
    pub(super) fn text(&self, out: &mut String) {
        let _ = match self {
            Left::Payload(header, field) | Left::Extension(header, field) => write!(out, "{header} {field}"),
            Left::Meta(key) => write!(out, "meta {key}"),
            Left::Raw { base, offset, bits, mask } if is_whole(*bits, *mask) => {
                write!(out, "@{base},{offset},{bits}")
            }
            Left::Raw { base, offset, bits, mask } => write!(out, "@{base},{offset},{bits} & {mask:#x}"),
            Left::Masked(header, field, mask) => write!(out, "{header} {field} & {mask:#x}"),
            Left::Exists(header) => write!(out, "exthdr {header}"),
        };
    }

    pub(super) fn json(&self, out: &mut String) {
        let payload = |header: &str, field: &str| {
            format!(r#"{{"payload": {{"protocol": "{header}", "field": "{field}"}}}}"#)
        };
        let _ = match self {
            Left::Payload(header, field) => write!(out, "{}", payload(header, field)),
            Left::Meta(key) => write!(out, r#"{{"meta": {{"key": "{key}"}}}}"#),
            Left::Raw { base, offset, bits, mask } => {
                let raw =
                    format!(r#"{{"payload": {{"base": "{base}", "offset": {offset}, "len": {bits}}}}}"#);
                match is_whole(*bits, *mask) {
                    true => write!(out, "{raw}"),
                    false => write!(out, r#"{{"&": [{raw}, {mask}]}}"#),
                }
            }
            Left::Masked(header, field, mask) => {
                write!(out, r#"{{"&": [{}, {mask}]}}"#, payload(header, field))
            }
            Left::Exists(header) => write!(out, r#"{{"exthdr": {{"name": "{header}"}}}}"#),
            Left::Extension(header, field) => {
                write!(out, r#"{{"exthdr": {{"name": "{header}", "field": "{field}"}}}}"#)
            }
        };
    }

    fn value(&self, v: Value, json: bool, out: &mut String) {
        let quote = if json { "\"" } else { "" };
        let _ = match self {
            Left::Payload("ether", "saddr" | "daddr") => {
                let octets: Vec<String> =
                    v.bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect();
                write!(out, "{quote}{}{quote}", octets.join(":"))
            }
            _ if v.family != 0 => write!(out, "{quote}{v}{quote}"),
            _ => write!(out, "{v}"),
        };
    }

    /// An interval of values: one value, a prefix of addresses, or both ends.
    pub(super) fn range(&self, r: Range, json: bool, out: &mut String) {
        if r.lo == r.hi {
            return self.value(r.lo, json, out);
        }
        let prefix = || {
            let width = if r.lo.family == 4 { 32 } else { 128 };
            match (r.lo.family, ValueSet::from(r).prefixes(width).as_slice()) {
                (4 | 6, [one]) if one.len > 0 => Some(one.len),
                _ => None,
            }
        };
        match (prefix(), json) {
            (Some(len), false) => {
                let _ = write!(out, "{}/{len}", r.lo);
            }
            (Some(len), true) => {
                let _ = write!(out, r#"{{"prefix": {{"addr": "{}", "len": {len}}}}}"#, r.lo);
            }
            (None, _) => {
                out.push_str(if json { r#"{"range": ["# } else { "" });
                self.value(r.lo, json, out);
                out.push_str(if json { ", " } else { "-" });
                self.value(r.hi, json, out);
                out.push_str(if json { "]}" } else { "" });
            }
        }
    }
}

fn is_whole(bits: u32, mask: u32) -> bool {
    u64::from(mask) + 1 == 1 << bits
}
