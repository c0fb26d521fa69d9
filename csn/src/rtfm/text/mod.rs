//! The text form of programs: the NeTraMet rule file.
//!
//! ```text
//! SET 3
//! RULES
//!   SourcePeerType & 255 = IP: PushRuleTo, ip_pkt;
//!   Null & 0 = 0: Ignore, 0;
//! ip_pkt:
//!   DestTransAddress & 255.255 = 2000: PushRuleToAct, Next;
//!   FlowClass & 255 = 1: PushRuleToAct, Next;
//!   Null & 0 = 0: Count, 0;
//! FORMAT FlowIndex FirstTime " " FlowClass " " ToPDUs FromPDUs;
//! STATISTICS
//! ```
//!
//! `#` starts a comment; case does not matter in keywords, opcodes, attributes, symbols and labels.

pub(crate) mod literal;
mod parse;
mod print;

use std::fmt;

/// A line of a rule file that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there and what would be right.
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

#[cfg(test)]
mod tests;
