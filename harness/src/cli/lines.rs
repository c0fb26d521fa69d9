//! Lines of JSON that scripts rely on, with their fields in the documented order.

use csn::ruleset::Verdict;
use csn::{Counts, Field, Key, Nanos, RuleSet, Value, ValueSet};
use generator::receiver;
use serde::Serialize;

/// What a class got: `{"class":"voice","packets":n,"bytes":n}`.
#[derive(Serialize)]
struct ClassLine<'a> {
    class: &'a str,
    packets: u64,
    bytes: u64,
}

/// What a packet is: `{"packet":1,"class":"voice","rule":3}`; packets and rules count from 1.
#[derive(Serialize)]
struct PacketLine<'a> {
    packet: u64,
    class: &'a str,
    rule: Option<usize>,
}

/// A packet that `generate --dump` shows; times are nanoseconds from the start, `bytes` are the frame in hexadecimal.
#[derive(Serialize)]
struct DumpLine<'a> {
    packet: u64,
    time_ns: u64,
    class: &'a str,
    rule: Option<usize>,
    length: usize,
    fields: std::collections::BTreeMap<&'static str, String>,
    bytes: String,
}

/// What `receive` says of a class; times are nanoseconds.
#[derive(Serialize)]
struct ReceivedLine<'a> {
    class: &'a str,
    packets: u64,
    bytes: u64,
    flows: u64,
    lost: u64,
    duplicates: u64,
    reordered: u64,
    stale: u64,
    latency_ns: Option<Latency>,
    early: u64,
}

/// Percentiles of a latency.
#[derive(Serialize)]
struct Latency {
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
    mean: f64,
}

/// What `receive` says of a flow, each direction by itself.
#[derive(Serialize)]
struct ReceivedFlowLine<'a> {
    class: &'a str,
    flow: u32,
    packets: u64,
    bytes: u64,
    lost: u64,
    duplicates: u64,
    reordered: u64,
    stale: u64,
}

/// A structure of plain fields as one line.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text and numbers are always JSON")
}

/// The line of a class.
pub fn class(label: &str, counts: Counts) -> String {
    line(&ClassLine { class: label, packets: counts.packets, bytes: counts.bytes })
}

/// The line of a packet.
pub fn packet(rules: &RuleSet, packet: u64, verdict: Verdict) -> String {
    let class = rules.label(verdict.class);
    line(&PacketLine { packet, class: &class, rule: verdict.rule.map(|r| r + 1) })
}

/// The line of a class that was received.
pub fn received(label: &str, class: &receiver::Class) -> String {
    let l = &class.latency;
    let at = |q| l.value_at_quantile(q);
    let latency = Latency {
        min: l.min(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: l.max(),
        mean: l.mean(),
    };
    line(&ReceivedLine {
        class: label,
        packets: class.counts.packets,
        bytes: class.counts.bytes,
        flows: class.flows,
        lost: class.lost,
        duplicates: class.duplicates,
        reordered: class.reordered,
        stale: class.stale,
        latency_ns: (!l.is_empty()).then_some(latency),
        early: class.early,
    })
}

/// The line of a flow that was received.
pub fn received_flow(label: &str, flow: &receiver::Flow) -> String {
    line(&ReceivedFlowLine {
        class: label,
        flow: flow.flow,
        packets: flow.counts.packets,
        bytes: flow.counts.bytes,
        lost: flow.lost(),
        duplicates: flow.duplicates,
        reordered: flow.reordered,
        stale: flow.stale,
    })
}

/// The fields of a packet as `explain --packet` takes them.
pub fn fields(key: &Key) -> String {
    let tests: Vec<String> =
        key.fields().map(|(field, value)| format!("{field} = {}", literal(field, value))).collect();
    tests.join(", ")
}

/// A value as the notation writes it.
fn literal(field: Field, value: Value) -> String {
    let test = csn::print::test(field, &ValueSet::single(value));
    test.split_once(" = ").map_or(String::new(), |(_, value)| value.to_owned())
}

/// The line of a packet that is made at `due`.
pub fn dumped(rules: &RuleSet, packet: u64, verdict: Verdict, due: Nanos, key: &Key, frame: &[u8]) -> String {
    line(&DumpLine {
        packet,
        time_ns: due.0,
        class: &rules.label(verdict.class),
        rule: verdict.rule.map(|r| r + 1),
        length: frame.len(),
        fields: key.fields().map(|(field, value)| (field.name(), literal(field, value))).collect(),
        bytes: frame.iter().map(|b| format!("{b:02x}")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_documented_order() {
        let rules = RuleSet::default();
        let verdict = rules.classify(&csn::Key::new());
        assert_eq!(packet(&rules, 1, verdict), r#"{"packet":1,"class":"others","rule":null}"#);
        let counts = Counts { packets: 2, bytes: 120 };
        assert_eq!(class("voice", counts), r#"{"class":"voice","packets":2,"bytes":120}"#);
    }
}
