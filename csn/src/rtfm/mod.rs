//! The rule language of RTFM meters (RFC 2720, RFC 2722): attributes, opcodes and programs for the packet
//! matching engine, and their text form, the NeTraMet rule file.
//!
//! The engine itself is a meter's: it lives in the crate `meters`. This module is what a rule back end writes
//! and a meter loads.

mod attribute;

pub use attribute::Attribute;

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
    /// Comment lines in front of rules, by the number of the rule (from 1): what the text form shows.
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
