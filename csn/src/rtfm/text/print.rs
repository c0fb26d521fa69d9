//! From a program to text.

use super::literal::{mask_text, value_text};
use crate::rtfm::{Attribute, Column, Opcode, Program, Rule};
use std::collections::BTreeSet;
use std::fmt;

/// `FORMAT` lines are broken behind this many characters.
const LINE: usize = 78;

impl fmt::Display for Program {
    /// The rule file: `Program::parse` reads it back to an equal program, where `Program::check` finds nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_comments(f, 0, "")?;
        writeln!(f, "SET {}\n#\nRULES", self.set)?;
        let labels = self.labelled();
        for (number, rule) in (1u32..).zip(&self.rules) {
            if labels.contains(&number) {
                writeln!(f, "{}:", label(number))?;
            }
            self.write_comments(f, number, "  ")?;
            writeln!(f, "  {};", Line(rule, number))?;
        }
        writeln!(f, "#")?;
        self.write_format(f)?;
        if self.statistics {
            writeln!(f, "STATISTICS")?;
        }
        Ok(())
    }
}

fn label(number: u32) -> String {
    format!("r{number}")
}

impl Program {
    /// The rules that some rule other than the one in front jumps to.
    fn labelled(&self) -> BTreeSet<u32> {
        (1u32..)
            .zip(&self.rules)
            .filter(|(n, r)| r.opcode.jumps() && r.parameter != n + 1)
            .map(|(_, r)| r.parameter)
            .collect()
    }

    fn write_comments(&self, f: &mut fmt::Formatter<'_>, number: u32, indent: &str) -> fmt::Result {
        // comments stand in the order of the rules
        let first = self.comments.partition_point(|(n, _)| *n < number);
        for (_, text) in self.comments[first..].iter().take_while(|(n, _)| *n == number) {
            for line in text.lines() {
                writeln!(f, "{indent}# {line}")?;
            }
        }
        Ok(())
    }

    fn write_format(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.format.is_empty() {
            return Ok(());
        }
        let mut line = String::from("FORMAT");
        for column in &self.format {
            let word = match column {
                Column::Attribute(a) => a.name().to_string(),
                Column::Text(t) => format!("\"{t}\""),
            };
            if line.len() + 1 + word.len() > LINE {
                writeln!(f, "{line}")?;
                line = String::from(" ");
            }
            line.push(' ');
            line.push_str(&word);
        }
        writeln!(f, "{line};")
    }
}

impl fmt::Display for Rule {
    /// One rule with the number of its target, as in `DestTransAddress & 255.255 = 53: PushRuleToAct, 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_test(f)?;
        write!(f, ": {}, {}", self.opcode.name(), self.parameter)
    }
}

impl Rule {
    fn write_test(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assigned = matches!(self.opcode, Opcode::Assign | Opcode::AssignAct)
            .then(|| u16::try_from(self.value).ok().and_then(Attribute::from_number))
            .flatten();
        let value = match assigned {
            Some(a) => a.name().to_string(),
            None => value_text(self.attribute, self.octets, self.value),
        };
        let mask = mask_text(self.attribute, self.octets, self.mask);
        write!(f, "{} & {mask} = {value}", self.attribute.name())
    }
}

/// A rule with its number: targets are labels, or `Next`.
struct Line<'a>(&'a Rule, u32);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(rule, number) = self;
        rule.write_test(f)?;
        write!(f, ": {}, ", rule.opcode.name())?;
        match rule.parameter {
            p if !rule.opcode.jumps() => write!(f, "{p}"),
            p if p == number + 1 => f.write_str("Next"),
            p => f.write_str(&label(p)),
        }
    }
}
