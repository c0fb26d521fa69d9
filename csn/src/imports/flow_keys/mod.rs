//! Flow keys in XML: the file from which the QoS manager's flow creator makes its regular expressions
//! (`qos-management`, section III.B and Fig. 4).
//!
//! A `FLOW` is a rule, tried in the order of the file, and its `FLOWNAME` the class. Each `FLOWKEY` is a test, a
//! conjunction together. The values are what the figure shows: a decimal number, an IPv4 address, octets as `\x08\x00`,
//! and `{ANYBYTE}{n}`, which is n octets of any value. The flow named `DEFAULT` is no class: a key that a flow names
//! with a blank value is that of `DEFAULT`, as `Type` is in the figure. (As a class of its own it would come first and
//! take all packets of the flow that follows it there.) A key that a flow leaves out may have any value.
//!
//! The format knows IPv4 headers only, so that a flow with a key of IP matches IPv4 only. A port's name says its protocol.

mod value;

use super::{Builder, Import, Imported};
use crate::diagnostic::{FileId, Span};
use crate::field::Field;
use crate::packet::{IPV4, TCP, UDP};
use crate::value::{Range, Value, ValueSet};
use roxmltree::{Document, Node, ParsingOptions};
use value::{Problem, Wanted};

/// The import `flow-keys`.
pub struct FlowKeys;

impl Import for FlowKeys {
    fn name(&self) -> &'static str {
        "flow-keys"
    }

    fn summary(&self) -> &'static str {
        "flow keys in XML, a class for each flow name"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.flow-keys")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        if text.trim().is_empty() {
            return out.finish();
        }
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        match Document::parse_with_options(text, options) {
            Ok(document) => read(&document, &mut out),
            Err(e) => {
                let at = offset(text, e.pos());
                let after = text[at..].chars().next().map_or(0, char::len_utf8);
                out.malformed(span(at..at + after), format!("this is not XML: {e}"), SHAPE);
            }
        }
        out.finish()
    }
}

const SHAPE: &str =
    "a flow is `<FLOW FLOWNAME=\"web\"><FLOWKEY NAME=\"IPProto\" VALUE=\"6\"/></FLOW>` within `<FLOWDATA>`";
/// The flow that the values of others come from.
const DEFAULT: &str = "DEFAULT";

/// The names of the keys, the field of each, and the protocol that the name says.
pub(crate) const KEYS: [(&str, Field, Option<u8>); 10] = [
    ("MacDstAddr", Field::DstMac, None),
    ("MacSrcAddr", Field::SrcMac, None),
    ("Type", Field::EtherType, None),
    ("IPProto", Field::Proto, None),
    ("IPSrcAddr", Field::SrcIp, None),
    ("IPDstAddr", Field::DstIp, None),
    ("TCPSrcPort", Field::SrcPort, Some(TCP)),
    ("TCPDstPort", Field::DstPort, Some(TCP)),
    ("UDPSrcPort", Field::SrcPort, Some(UDP)),
    ("UDPDstPort", Field::DstPort, Some(UDP)),
];

fn span(range: std::ops::Range<usize>) -> Span {
    Span { file: FileId(0), start: range.start as u32, end: range.end as u32 }
}

/// The octet of a line and column, both from 1, in characters.
fn offset(text: &str, place: roxmltree::TextPos) -> usize {
    let line = place.row.saturating_sub(1) as usize;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = place.col.saturating_sub(1) as usize;
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(i, _)| i)
}

fn read(document: &Document, out: &mut Builder) {
    let root = document.root_element();
    if !root.has_tag_name("FLOWDATA") {
        out.malformed(span(tag(root)), "the outermost element is not FLOWDATA", SHAPE);
        return;
    }
    let flows: Vec<Node> = elements(root, "FLOW", out);
    let (defaults, flows): (Vec<Node>, Vec<Node>) =
        flows.into_iter().partition(|f| f.attribute("FLOWNAME").map(str::trim) == Some(DEFAULT));
    if let Some(second) = defaults.get(1) {
        out.malformed(span(tag(*second)), "there is a flow DEFAULT already", "keep one of them");
    }
    let defaults = defaults.first().map(|d| keys(*d, out)).unwrap_or_default();
    for flow in flows {
        read_flow(flow, &defaults, out);
    }
}

/// The place of the start tag, without what is inside of the element.
fn tag(node: Node) -> std::ops::Range<usize> {
    let range = node.range();
    let text = &node.document().input_text()[range.clone()];
    range.start..range.start + text.find('>').map_or(text.len(), |i| i + 1)
}

/// The elements of that name; anything else is an error.
fn elements<'a, 'i>(parent: Node<'a, 'i>, name: &str, out: &mut Builder) -> Vec<Node<'a, 'i>> {
    let (right, wrong): (Vec<Node>, Vec<Node>) =
        parent.children().filter(|n| !n.is_comment() && !n.is_pi()).partition(|n| n.has_tag_name(name));
    for node in wrong {
        let blank = node.is_text() && node.text().is_none_or(|t| t.trim().is_empty());
        if !blank {
            let place = if node.is_element() { tag(node) } else { node.range() };
            out.malformed(span(place), format!("only {name} can stand here"), SHAPE);
        }
    }
    right
}

/// A key of a flow: its place in [`KEYS`], its value, and where the value stands.
struct Key<'a> {
    key: usize,
    value: &'a str,
    span: Span,
}

/// The keys of a flow; those that are not of the format are findings.
fn keys<'a>(flow: Node<'a, '_>, out: &mut Builder) -> Vec<Key<'a>> {
    let mut all: Vec<Key> = Vec::new();
    for node in elements(flow, "FLOWKEY", out) {
        let place = span(tag(node));
        let (Some(name), Some(value)) = (node.attribute("NAME"), node.attribute_node("VALUE")) else {
            out.malformed(place, "a flow key has a NAME and a VALUE", SHAPE);
            continue;
        };
        let Some(key) = KEYS.iter().position(|(n, ..)| *n == name.trim()) else {
            let names: Vec<&str> = KEYS.iter().map(|(n, ..)| *n).collect();
            out.malformed(
                place,
                format!("`{name}` is no flow key"),
                format!("the keys are {}", names.join(", ")),
            );
            continue;
        };
        if all.iter().any(|k| k.key == key) {
            out.malformed(place, format!("the flow has the key {name} already"), "keep one of them");
            continue;
        }
        all.push(Key { key, value: value.value().trim(), span: span(value.range_value()) });
    }
    all
}

fn read_flow(flow: Node, defaults: &[Key], out: &mut Builder) {
    let place = span(tag(flow));
    let Some(name) = flow.attribute("FLOWNAME").map(str::trim).filter(|n| !n.is_empty()) else {
        out.malformed(place, "a flow has a FLOWNAME", SHAPE);
        return;
    };
    let wrong = out.findings();
    let mut tests = Tests::default();
    for mut key in keys(flow, out) {
        if key.value.is_empty() {
            let Some(default) = defaults.iter().find(|d| d.key == key.key) else {
                let cure = "write a value, or name the key in a flow DEFAULT";
                out.malformed(key.span, "the value is blank, and there is no default", cure);
                continue;
            };
            key.value = default.value;
        }
        if let Err(problem) = tests.add(&key) {
            match problem {
                Problem::Malformed(what) => out.malformed(key.span, what, value::SHAPES),
                Problem::Lost(why) => out.lost(key.span, "this flow is not taken over", why),
            }
        }
    }
    // a flow is taken over as a whole, or not at all
    if out.findings() == wrong {
        let class = out.class(name, place);
        out.rule(class, tests.finish(), place);
    }
}

/// Every address of IPv4.
fn everywhere() -> ValueSet {
    Range::prefix(Value { family: 4, bits: 0 }, 0).into()
}

/// The tests of one flow.
#[derive(Default)]
struct Tests {
    tests: Vec<(Field, ValueSet)>,
    protocol: Option<u8>,
}

impl Tests {
    fn add(&mut self, key: &Key) -> Result<(), Problem> {
        let (_, field, protocol) = KEYS[key.key];
        let wanted = value::read(field, key.value)?;
        let says = match wanted {
            Wanted::One(v) if field == Field::Proto => u8::try_from(v.bits).ok(),
            _ => protocol,
        };
        if let (Some(before), Some(now)) = (self.protocol, says)
            && before != now
        {
            let why = format!("its keys are of the protocols {before} and {now}: it matches nothing");
            return Err(Problem::Lost(why));
        }
        self.protocol = self.protocol.or(says);
        match wanted {
            Wanted::One(v) => self.tests.push((field, ValueSet::single(v))),
            // that there is such a header must be said
            Wanted::Any if field.is_address() => self.tests.push((field, everywhere())),
            Wanted::Any if field > Field::SrcIp => self.tests.push((field, field.domain())),
            Wanted::Any => (),
        }
        Ok(())
    }

    /// The tests, that it is IPv4 included.
    fn finish(mut self) -> Vec<(Field, ValueSet)> {
        let protocol = self.protocol.map(|p| ValueSet::single(Value::number(p.into())));
        if let Some(protocol) = protocol {
            self.tests.push((Field::Proto, protocol));
        }
        let four = ValueSet::single(Value::number(IPV4.into()));
        let said = self.tests.iter().any(|(f, s)| f.is_address() || *f == Field::EtherType && *s == four);
        if self.tests.iter().any(|(f, _)| *f >= Field::SrcIp) && !said {
            self.tests.push((Field::SrcIp, everywhere()));
        }
        self.tests
    }
}

#[cfg(test)]
mod tests;
