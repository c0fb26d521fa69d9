//! The rule language of RTFM meters (RFC 2720, RFC 2722): attributes, opcodes and programs for the packet
//! matching engine, and their text form, the NeTraMet rule file.
//!
//! The engine itself is a meter's: it lives in the crate `meters`. This module is what a rule back end writes
//! and a meter loads.

mod attribute;
mod check;
pub(crate) mod text;

pub use attribute::Attribute;
pub use check::Fault;
pub use text::TextError;

use serde::{Deserialize, Serialize};

/// What a rule does when its test succeeds (RFC 2722 §4.3, numbers of RFC 2720).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Opcode {
    /// Stop; the packet is not metered.
    Ignore = 1,
    /// Stop; the meter may try the other direction.
    NoMatch = 2,
    /// Save the rule's value, stop, count.
    Count = 3,
    /// Save the packet's masked value, stop, count.
    CountPkt = 4,
    /// Return from a subroutine to the rule `parameter` behind its call, test off.
    Return = 5,
    /// Call a subroutine.
    Gosub = 6,
    /// Call a subroutine, test off.
    GosubAct = 7,
    /// Set a variable to the attribute whose number is the rule's value.
    Assign = 8,
    /// The same, test off.
    AssignAct = 9,
    /// Go to a rule.
    Goto = 10,
    /// Go to a rule, test off.
    GotoAct = 11,
    /// Save the rule's value and go.
    PushRuleTo = 12,
    /// The same, test off.
    PushRuleToAct = 13,
    /// Save the packet's masked value and go.
    PushPktTo = 14,
    /// The same, test off.
    PushPktToAct = 15,
    /// Forget the newest saved value and go.
    PopTo = 16,
    /// The same, test off.
    PopToAct = 17,
}

impl Opcode {
    /// Every opcode, by ascending number.
    pub const ALL: [Opcode; 17] = [
        Opcode::Ignore,
        Opcode::NoMatch,
        Opcode::Count,
        Opcode::CountPkt,
        Opcode::Return,
        Opcode::Gosub,
        Opcode::GosubAct,
        Opcode::Assign,
        Opcode::AssignAct,
        Opcode::Goto,
        Opcode::GotoAct,
        Opcode::PushRuleTo,
        Opcode::PushRuleToAct,
        Opcode::PushPktTo,
        Opcode::PushPktToAct,
        Opcode::PopTo,
        Opcode::PopToAct,
    ];

    /// The name, as rule files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Opcode::Ignore => "Ignore",
            Opcode::NoMatch => "NoMatch",
            Opcode::Count => "Count",
            Opcode::CountPkt => "CountPkt",
            Opcode::Return => "Return",
            Opcode::Gosub => "Gosub",
            Opcode::GosubAct => "GosubAct",
            Opcode::Assign => "Assign",
            Opcode::AssignAct => "AssignAct",
            Opcode::Goto => "Goto",
            Opcode::GotoAct => "GotoAct",
            Opcode::PushRuleTo => "PushRuleTo",
            Opcode::PushRuleToAct => "PushRuleToAct",
            Opcode::PushPktTo => "PushPktTo",
            Opcode::PushPktToAct => "PushPktToAct",
            Opcode::PopTo => "PopTo",
            Opcode::PopToAct => "PopToAct",
        }
    }

    /// The opcode of that name, whatever the case; older files say `Pushto`, `PushtoAct` and `Retry`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "pushto" => Some(Opcode::PushRuleTo),
            "pushtoact" => Some(Opcode::PushRuleToAct),
            "retry" => Some(Opcode::NoMatch),
            lower => Self::ALL.into_iter().find(|o| o.name().eq_ignore_ascii_case(lower)),
        }
    }

    /// Whether the parameter is a rule to go to.
    pub const fn jumps(self) -> bool {
        self as u8 >= Opcode::Gosub as u8
    }
}

/// One rule: `attribute & mask = value: opcode, parameter;`.
///
/// The test compares `attribute AND mask` with `value`. An all-zero mask always succeeds. Otherwise an
/// attribute that the packet does not have fails, and so does an address of the other IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What is tested.
    pub attribute: Attribute,
    /// Octets of mask and value: 1 to 16; 4 or 16 for peer addresses (IPv4, IPv6).
    pub octets: u8,
    /// The mask, a big-endian integer of `octets` octets.
    pub mask: u128,
    /// The value, likewise; for `Assign` the number of the attribute that is assigned.
    pub value: u128,
    /// What to do.
    pub opcode: Opcode,
    /// The rule to go to, from 1; the return offset; 0 for opcodes that stop.
    pub parameter: u32,
}

/// A rule set as a meter loads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The rule set's number (`SET n`), from 1.
    pub set: u32,
    /// The rules; rule 1 is the first.
    pub rules: Vec<Rule>,
    /// Comment lines in front of rules, by the number of the rule (from 1), in that order; those of 0 stand
    /// at the head of the file. Each is one line without its `#`, trimmed and not empty.
    pub comments: Vec<(u32, String)>,
    /// The columns of `FORMAT`, in order.
    pub format: Vec<Column>,
    /// Whether the reader is asked for meter statistics.
    pub statistics: bool,
}

/// A column of a flow data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// The value of an attribute.
    Attribute(Attribute),
    /// A separator.
    Text(String),
}
