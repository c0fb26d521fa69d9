//! Rule back ends: from a [`RuleSet`] to what a meter loads.
//!
//! A back end never widens, narrows or drops a rule in silence: what it cannot express stands in
//! [`Emitted::losses`], rule by rule. To add one, write a file with an `impl Backend` and put its line into
//! [`BACKENDS`].

mod acl;
mod alternatives;
mod bpf;
mod cisco;
mod classbench;
mod click;
mod cubes;
mod ebpf;
mod flow_keys;
pub(crate) mod iptables;
mod labels;
mod nftables;
mod octets;
mod ovs;
mod pmacct;
mod regex;
mod rtfm;
mod srl;
mod suricata;
mod tc;
mod tcpdump;

pub use acl::Acl;
pub use alternatives::{Alternative, alternatives, shared_tests};
pub use bpf::Bpf;
pub use cisco::Cisco;
pub use classbench::ClassBench;
pub use click::Click;
pub use ebpf::Ebpf;
pub use flow_keys::FlowKeys;
pub use iptables::Iptables;
pub use nftables::Nftables;
pub use ovs::Ovs;
pub use pmacct::Pmacct;
pub use regex::Regex;
pub use rtfm::Rtfm;
pub use srl::Srl;
pub use suricata::Suricata;
pub use tc::Tc;
pub use tcpdump::Tcpdump;

use crate::field::Field;
use crate::frame_kind::{FrameKind, FrameKinds};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::ValueSet;

/// A target that rule sets are translated to.
pub trait Backend: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it makes, in one line.
    fn summary(&self) -> &'static str;

    /// What it makes of [`example_rules`], with default options.
    fn example(&self) -> &'static str;

    /// The forms that it can write, the usual one first; none where there is only one.
    fn forms(&self) -> &'static [Form] {
        &[]
    }

    /// Translates a rule set.
    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted;
}

/// Every back end.
pub static BACKENDS: &[&dyn Backend] = &[
    &Rtfm,
    &Bpf,
    &Tcpdump,
    &Pmacct,
    &Srl,
    &Click,
    &FlowKeys,
    &Regex,
    &Ovs,
    &Tc,
    &ClassBench,
    &Cisco,
    &Acl,
    &Nftables,
    &Iptables,
    &Ebpf,
    &Suricata,
];

/// The back end of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|b| b.name() == name)
}

/// What a translation can be asked for. Back ends leave aside what does not concern them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// One of the back end's [`Backend::forms`]; none stands for the first.
    pub form: Option<Form>,
    /// The interface that the packets arrive on, where a target binds its rules to one.
    pub interface: String,
    /// Filters: octets of an accepted packet that are kept.
    pub accept: u32,
    /// Filters: accept the packets that no rule matches, and only them.
    pub invert: bool,
    /// Filters: for a packet socket, where the kernel takes the outer VLAN tag out of the frame and knows the
    /// interface; otherwise for the frames of a capture file.
    pub live: bool,
    /// RTFM: the number of the rule set.
    pub set: u32,
    /// RTFM: the tests that come first, once for all rules; a packet that fails one is of no class. Where these rules
    /// are the beginning of a longer list, what all of that share (see [`shared_tests`]), so that programs of
    /// different length have the same structure. Tests that some rule does not make itself are left aside, since
    /// that would narrow it. None stands for what the rules themselves share.
    pub shared: Option<Vec<(Field, ValueSet)>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            form: None,
            interface: "eth0".into(),
            accept: 262_144,
            invert: false,
            live: false,
            set: 1,
            shared: None,
        }
    }
}

/// One of several ways in which a back end can write the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
}

/// What came out of a translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emitted {
    /// The text that is written to a file.
    pub artefact: String,
    /// The same as a value that built-in meters can load.
    pub program: Compiled,
    /// What the meter's results call each class; empty for filters, which know no classes.
    pub labels: Vec<(String, ClassId)>,
    /// Rules that mean something else in the target, or nothing.
    pub losses: Vec<Loss>,
    /// Kinds of frames that the target does not classify as the notation does, whatever the rules say.
    pub outside: Vec<Outside>,
    /// What is worth knowing and changes no meaning.
    pub notes: Vec<String>,
    /// Size in the target's own unit: rules, instructions, terms.
    pub entries: usize,
}

/// A translation as a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Compiled {
    /// The text is all there is.
    #[default]
    Text,
    /// A program for a packet matching engine.
    Rtfm(crate::rtfm::Program),
    /// A program for a packet filter.
    Bpf(Vec<crate::cbpf::Instruction>),
    /// An automaton over packed keys.
    Dfa(crate::dfa::Dfa),
    /// A program that classifies and counts in the kernel.
    Ebpf(crate::ebpf::Program),
}

/// A rule that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The place in [`RuleSet::rules`], from 0.
    pub rule: usize,
    /// What is different, and why.
    pub reason: String,
}

/// A kind of frames on which a target differs, or that it never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The frames.
    pub kind: FrameKind,
    /// What the target does with them.
    pub reason: &'static str,
}

impl Emitted {
    /// The kinds of frames on which the target differs.
    pub fn outside_kinds(&self) -> FrameKinds {
        self.outside.iter().map(|o| o.kind).collect()
    }
}

/// The rule set of the paper's example: UDP from one host to another, one class per destination port.
pub fn example_rules() -> RuleSet {
    use crate::ruleset::{Class, Rule};
    use crate::{Field, Span, Value, ValueSet};
    let mut rules = RuleSet::default();
    for (number, port) in [(1, 2000), (2, 2001)] {
        rules.classes.push(Class { number, name: None, span: Span::default() });
        rules.rules.push(Rule {
            class: ClassId(number),
            tests: vec![
                (Field::SrcIp, ValueSet::single(Value::v4([192, 168, 75, 106].into()))),
                (Field::DstIp, ValueSet::single(Value::v4([192, 168, 115, 204].into()))),
                (Field::Proto, ValueSet::single(Value::number(17))),
                (Field::DstPort, ValueSet::single(Value::number(port))),
            ],
            both: false,
            span: Span::default(),
        });
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn forms(b: &dyn Backend) -> Vec<Option<Form>> {
        [None].into_iter().chain(b.forms().iter().copied().map(Some)).collect()
    }

    #[test]
    fn every_back_end_is_documented_and_its_example_is_what_it_makes() {
        let mut names = HashSet::new();
        for b in BACKENDS {
            assert!(names.insert(b.name()), "{} stands twice", b.name());
            assert!(!b.summary().is_empty() && !b.summary().ends_with('.'), "{}", b.name());
            assert_eq!(by_name(b.name()).map(|b| b.summary()), Some(b.summary()));
            let made = b.emit(&example_rules(), &Options::default());
            assert_eq!(made.artefact, b.example(), "{}", b.name());
            assert!(made.entries > 0);
            for form in b.forms() {
                assert!(!form.summary.is_empty(), "{}: {}", b.name(), form.name);
                let same = b.forms().iter().filter(|f| f.name == form.name).count();
                assert_eq!(same, 1, "{}: {}", b.name(), form.name);
            }
        }
    }

    #[test]
    fn every_back_end_copes_with_no_rules() {
        for b in BACKENDS {
            for form in forms(*b) {
                let made = b.emit(&RuleSet::default(), &Options { form, ..Options::default() });
                assert!(made.losses.is_empty(), "{}", b.name());
                assert!(!made.artefact.is_empty(), "{}", b.name());
            }
        }
    }
}
