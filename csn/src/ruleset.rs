//! Rule sets, and the interpreter that is the oracle of everything else.

use crate::diagnostic::Span;
use crate::field::Field;
use crate::key::Key;
use crate::value::ValueSet;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A class, by its place in [`RuleSet::classes`]. 0 is always `others`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

impl ClassId {
    /// The class of the packets that no rule matches.
    pub const OTHERS: ClassId = ClassId(0);

    /// The place in a table of per-class things.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A traffic class: what packets are counted as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The number of the `set` statement; 0 for `others`.
    pub number: u32,
    /// The name, where the scenario gives one.
    pub name: Option<String>,
    /// Where the class is opened.
    pub span: Span,
}

impl Class {
    /// What results call the class: its name, else its number.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.number.to_string())
    }
}

/// A conjunction of field tests. A field that is not listed may have any value or be absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The class of the packets that the rule is the first to match.
    pub class: ClassId,
    /// The tests, by ascending field, each field once. An empty set matches nothing.
    pub tests: Vec<(Field, ValueSet)>,
    /// Whether packets of the reply direction match too.
    pub both: bool,
    /// The statement that the rule comes from.
    pub span: Span,
}

impl Rule {
    /// Whether the packet matches this rule, earlier rules left aside.
    pub fn matches(&self, key: &Key) -> bool {
        self.matches_forward(key) || (self.both && self.matches_forward(&key.reversed()))
    }

    fn matches_forward(&self, key: &Key) -> bool {
        self.tests.iter().all(|(field, set)| key.get(*field).is_some_and(|v| set.contains(v)))
    }

    /// The values that the rule accepts for `field`, where it tests it.
    pub fn test(&self, field: Field) -> Option<&ValueSet> {
        self.tests.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }

    /// The rule that matches the reply direction of what this one matches forward.
    pub fn reversed(&self) -> Self {
        let mut tests: Vec<_> = self.tests.iter().map(|(f, s)| (f.reversed(), s.clone())).collect();
        tests.sort_by_key(|(f, _)| *f);
        Self { tests, ..self.clone() }
    }
}

/// An ordered list of rules: the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    /// All classes; the first is `others`.
    pub classes: Vec<Class>,
    /// The rules in file order.
    pub rules: Vec<Rule>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            classes: vec![Class { number: 0, name: Some("others".into()), span: Span::default() }],
            rules: vec![],
        }
    }
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class.
    pub class: ClassId,
    /// The place of the matching rule in [`RuleSet::rules`], from 0; none for `others`.
    pub rule: Option<usize>,
}

impl RuleSet {
    /// The oracle: the class of the first rule that matches, else `others`. Linear, obviously right, and slow.
    pub fn classify(&self, key: &Key) -> Verdict {
        match self.rules.iter().position(|r| r.matches(key)) {
            Some(i) => Verdict { class: self.rules[i].class, rule: Some(i) },
            None => Verdict { class: ClassId::OTHERS, rule: None },
        }
    }

    /// The same classes with only the first `n` rules: what `vary: rules` loads.
    pub fn first(&self, n: usize) -> Self {
        Self { classes: self.classes.clone(), rules: self.rules.iter().take(n).cloned().collect() }
    }

    /// The same without places in a source: equal where two texts mean the same rules.
    pub fn without_places(&self) -> Self {
        let mut out = self.clone();
        out.classes.iter_mut().for_each(|c| c.span = Span::default());
        out.rules.iter_mut().for_each(|r| r.span = Span::default());
        out
    }

    /// The label of a class in results.
    pub fn label(&self, class: ClassId) -> String {
        self.classes[class.index()].label()
    }

    /// The class of that label.
    pub fn class_by_label(&self, label: &str) -> Option<ClassId> {
        self.classes.iter().position(|c| c.label() == label).map(|i| ClassId(i as u32))
    }

    /// The fields that any rule looks at.
    pub fn fields(&self) -> Vec<Field> {
        Field::ALL.into_iter().filter(|f| self.rules.iter().any(|r| r.test(*f).is_some())).collect()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (field, set)) in self.tests.iter().enumerate() {
            write!(f, "{}{field} = ", if i > 0 { ", " } else { "" })?;
            let many = set.ranges().len() != 1;
            if many {
                write!(f, "{{")?;
            }
            for (j, r) in set.ranges().iter().enumerate() {
                write!(f, "{}{}", if j > 0 { ", " } else { "" }, r.lo)?;
                if r.lo != r.hi {
                    write!(f, "..{}", r.hi)?;
                }
            }
            if many {
                write!(f, "}}")?;
            }
        }
        if self.both {
            write!(f, "{}both", if self.tests.is_empty() { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Packets and octets of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Packets.
    pub packets: u64,
    /// Octets of the frames as a packet socket sees them.
    pub bytes: u64,
}

impl Counts {
    /// Adds one frame.
    #[inline]
    pub fn add(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}
