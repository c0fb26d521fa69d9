//! Flows of Open vSwitch, for `ovs-ofctl add-flows` (ovs-ofctl(8), ovs-fields(7)).
//!
//! **What is made.** A rule becomes flows that test values under masks; a range of ports becomes the prefixes that
//! make it up, and a set of values of a field that has no mask in OpenFlow (protocol, TTL, TOS, ICMP type and code,
//! EtherType, MPLS label) a flow for each value. The cookie of a flow is the number of its class in the rule set; all
//! flows of a class share it.
//!
//! **First match.** Priorities descend with the rules. A priority has 16 bits: after 65,534 rules the list goes on in
//! the next table, to which the flow of priority 0 leads; a switch has 254 tables for that. Flows of one rule share
//! their priority, since it makes no difference which of them counts.
//!
//! **To load and read.** The bridge must let ports of first fragments be matched:
//!
//! ```text
//! ovs-ofctl set-frags BRIDGE nx-match
//! ovs-ofctl add-flows BRIDGE FILE
//! ovs-appctl revalidator/purge; ovs-ofctl dump-flows BRIDGE     # sum n_packets over each cookie
//! ```
//!
//! **What is lost.** The interface (OpenFlow's port numbers are not interface indexes), the length of the packet, ports of
//! DCCP and UDP-Lite, which Open vSwitch does not read, what is behind an MPLS label, EtherTypes below 0x600, and rules
//! that would need more than [`MOST_FLOWS`] flows.
//!
//! **What is outside.** Open vSwitch looks behind one VLAN tag (of the types 0x8100 and 0x88a8) and behind no MPLS
//! label; it reads LLC and SNAP headers of IEEE 802.3 frames; it knows fewer IPv6 extension headers, and not the protocol of later
//! IPv6 fragments; it takes packets whose headers are cut or end behind the IP length for packets without these headers.

mod flows;

use super::cubes::expansion;
use super::{Backend, Emitted, Form, Loss, Options, Outside};
use crate::backends::alternatives::{Alternative, alternatives};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::{BEHIND_EXTENSIONS, MPLS_TYPES};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::Value;
use flows::flows;
use std::fmt::Write;

/// The most flows that one direction of a rule may need.
pub const MOST_FLOWS: usize = 4096;
/// Rules of a table: as many as there are priorities between the lowest, which stands for no match, and the highest.
const RULES_OF_A_TABLE: usize = 65_534;
/// Tables that flows can be added to; the last one is Open vSwitch's own.
const TABLES: usize = 254;
/// The cookie of the flows that lead to the next table. Classes have 32 bits.
const NEXT_TABLE: u64 = 1 << 32;

const DROP: Form = Form { name: "drop", summary: "packets are counted and dropped" };
const NORMAL: Form =
    Form { name: "normal", summary: "packets are counted and forwarded as a learning switch does" };

/// The back end `ovs`.
pub struct Ovs;

impl Backend for Ovs {
    fn name(&self) -> &'static str {
        "ovs"
    }

    fn summary(&self) -> &'static str {
        "flows of Open vSwitch, a cookie for each class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.ovs")
    }

    fn forms(&self) -> &'static [Form] {
        &[DROP, NORMAL]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let all = alternatives(rules);
        let actions = options.form.unwrap_or(DROP).name;
        let mut text = Text { out: HEAD.into(), actions, rules: 0, entries: 0 };
        let mut losses = Vec::new();
        let mut kept: Vec<&Alternative> = Vec::new();
        for of_rule in all.chunk_by(|a, b| a.rule == b.rule) {
            match text.rule(of_rule) {
                Ok(()) => kept.extend(of_rule),
                Err(reason) => {
                    losses.push(Loss { rule: of_rule[0].rule, reason: format!("left out: {reason}") });
                }
            }
        }
        let last = text.table(text.rules.saturating_sub(1) / RULES_OF_A_TABLE);
        text.flow(&last, 0, ClassId::OTHERS, "");
        let label = |i| (format!("{i:#x}"), ClassId(i));
        Emitted {
            outside: outside(&kept),
            notes: expansion(text.rules, text.entries, "flows", WHY).into_iter().collect(),
            labels: (0..rules.classes.len() as u32).map(label).collect(),
            entries: text.entries + 1,
            artefact: text.out,
            losses,
            ..Emitted::default()
        }
    }
}

const HEAD: &str = "# for a bridge with: ovs-ofctl set-frags BRIDGE nx-match\n";
const WHY: &str = "ranges become prefixes, sets of values without a mask a flow for each value";

/// The flows as text.
struct Text {
    out: String,
    actions: &'static str,
    /// Rules that are written.
    rules: usize,
    /// Flows of rules.
    entries: usize,
}

impl Text {
    /// Adds the directions of a rule, or nothing.
    fn rule(&mut self, directions: &[Alternative]) -> Result<(), String> {
        let matches = directions.iter().map(flows).collect::<Result<Vec<_>, _>>()?.concat();
        if self.rules / RULES_OF_A_TABLE >= TABLES {
            return Err(format!("{TABLES} tables of {RULES_OF_A_TABLE} rules are full"));
        }
        let place = self.rules % RULES_OF_A_TABLE;
        if place == 0 && self.rules > 0 {
            let table = self.rules / RULES_OF_A_TABLE;
            let from = self.table(table - 1);
            let _ = writeln!(self.out, "{from}cookie={NEXT_TABLE:#x},priority=0,actions=resubmit(,{table})");
        }
        let table = self.table(self.rules / RULES_OF_A_TABLE);
        for m in &matches {
            self.flow(&table, 65_535 - place, directions[0].class, m);
        }
        self.rules += 1;
        self.entries += matches.len();
        Ok(())
    }

    fn table(&self, number: usize) -> String {
        if number == 0 { String::new() } else { format!("table={number},") }
    }

    fn flow(&mut self, table: &str, priority: usize, class: ClassId, tests: &str) {
        let comma = if tests.is_empty() { "" } else { "," };
        let (cookie, actions) = (class.0, self.actions);
        let _ = writeln!(
            self.out,
            "{table}cookie={cookie:#x},priority={priority}{comma}{tests},actions={actions}"
        );
    }
}

/// The frames that Open vSwitch sees otherwise than these rules mean.
fn outside(all: &[&Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(|a| f(a));
    let tests = |a: &Alternative, fields: &[Field]| fields.iter().any(|f| a.test(*f).is_some());
    let network = |a: &Alternative| a.for_link().is_none();
    let behind_tag = |a: &Alternative| network(a) || tests(a, &[Field::EtherType, Field::Mpls]);
    let labelled = |a: &Alternative| {
        let possible =
            |t: &u16| a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number((*t).into())));
        network(a) && MPLS_TYPES.iter().any(possible)
    };
    let tag = |a: &Alternative| behind_tag(a) || tests(a, &[Field::Vlan]);
    let extension = |a: &Alternative| a.for_ip(6).is_some() && tests(a, &BEHIND_EXTENSIONS);
    [
        (any(&behind_tag), FrameKind::Stacked, "Open vSwitch looks behind one VLAN tag"),
        (any(&tag), FrameKind::OldTag, "Open vSwitch knows the types 0x8100 and 0x88a8"),
        (any(&behind_tag), FrameKind::LengthField, "Open vSwitch takes the EtherType from their SNAP header"),
        (any(&labelled), FrameKind::Labelled, "Open vSwitch does not look behind labels"),
        (any(&extension), FrameKind::Extensions, "Open vSwitch knows fewer of these headers"),
        (any(&tag), FrameKind::Malformed, "Open vSwitch sees less of their headers"),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

#[cfg(test)]
mod tests;
