//! Lines of JSON that scripts rely on, with their fields in the documented order.

use csn::ruleset::Verdict;
use csn::{Counts, RuleSet};
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
