//! What must hold of a program before a meter may run it.

use super::{Attribute, Column, Opcode, Program, Rule};

/// Something wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule, from 1; 0 where it is not about one rule.
    pub rule: u32,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Program {
    /// Everything that is wrong with the program: a set number of 0, jumps that lead nowhere, attributes that
    /// cannot be tested, masks and values wider than the attribute. An empty answer means that a packet matching
    /// engine can run it without looking again.
    pub fn check(&self) -> Vec<Fault> {
        let mut out = Vec::new();
        if self.set == 0 {
            out.push(Fault { rule: 0, message: "the rule set has no number: write `SET 2`".into() });
        }
        for (i, rule) in self.rules.iter().enumerate() {
            let number = i as u32 + 1;
            out.extend(
                rule.faults(number, self.rules.len() as u32)
                    .into_iter()
                    .map(|message| Fault { rule: number, message }),
            );
        }
        for column in &self.format {
            if let Column::Attribute(a @ (Attribute::Null | Attribute::MatchingStoD)) = column {
                out.push(Fault { rule: 0, message: format!("{} is not a column of a flow", a.name()) });
            }
        }
        out
    }
}

impl Rule {
    fn faults(&self, number: u32, count: u32) -> Vec<String> {
        let mut out = Vec::new();
        let name = self.attribute.name();
        match self.attribute {
            a if a.octets() == 0 => out.push(format!("{name} belongs to flow records: rules cannot test it")),
            Attribute::SourcePeerAddress | Attribute::DestPeerAddress if !matches!(self.octets, 4 | 16) => {
                out.push(format!("an address has 4 or 16 octets, not {}", self.octets));
            }
            a if a.octets() < 16 && self.octets != a.octets() => {
                out.push(format!("{name} has {} octets, not {}", a.octets(), self.octets));
            }
            _ if !(1..=16).contains(&self.octets) => {
                out.push(format!("masks and values have 1 to 16 octets, not {}", self.octets));
            }
            _ => {}
        }
        let assigns = matches!(self.opcode, Opcode::Assign | Opcode::AssignAct);
        let all = if self.octets >= 16 { u128::MAX } else { (1 << (8 * u32::from(self.octets))) - 1 };
        if self.mask & !all != 0 || (!assigns && self.value & !all != 0) {
            out.push(format!("mask and value must fit into {} octets", self.octets));
        }
        if assigns {
            if !self.attribute.is_variable() {
                out.push(format!("{} sets one of v1 to v5, not {name}", self.opcode.name()));
            }
            let assigned = u16::try_from(self.value).ok().and_then(Attribute::from_number);
            if assigned.is_none_or(|a| a.octets() == 0 || a.is_variable()) {
                out.push(format!("{} takes an attribute that rules can test", self.opcode.name()));
            }
        }
        let parameter = self.parameter;
        if self.opcode.jumps() && !(1..=count).contains(&parameter) {
            out.push(match parameter {
                0 => format!("{} needs a rule to go to", self.opcode.name()),
                p if p == number + 1 => {
                    format!("{} goes on behind the last rule: end with Count or Ignore", self.opcode.name())
                }
                p => format!("there is no rule {p}: the rules are 1 to {count}"),
            });
        }
        if self.opcode == Opcode::Return && parameter == 0 {
            out.push("Return with 0 would call the subroutine again: return to 1 or more".into());
        }
        if (self.opcode as u8) < Opcode::Return as u8 && parameter != 0 {
            out.push(format!("{} ends the run: its parameter is 0", self.opcode.name()));
        }
        out
    }
}
