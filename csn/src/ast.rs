//! The tree of a scenario's text: statements, items and values with their places, before anything is looked up.
//!
//! A tree prints as canonical text ([`Expr`] implements `Display`), the form in which option values and names of
//! distributions are kept.

use crate::diagnostic::Span;
use crate::experiment::Relation;
use std::fmt;
use std::net::IpAddr;

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// Another file's statements come here.
    Include,
    /// A name for a value.
    Define,
    /// Opens a class.
    Set,
    /// One more rule of the open class.
    AddRule,
    /// Traffic of a class, a rule, `others` or `all`.
    Load,
    /// Meters under test.
    Meter,
    /// How a trial is run.
    Run,
    /// An axis of the sweep.
    Vary,
    /// What must hold.
    Expect,
    /// Title, what it reproduces, tags.
    Scenario,
}

impl Keyword {
    /// Every keyword with its spelling.
    pub const ALL: [(&'static str, Keyword); 10] = [
        ("include", Keyword::Include),
        ("define", Keyword::Define),
        ("set", Keyword::Set),
        ("addrule", Keyword::AddRule),
        ("load", Keyword::Load),
        ("meter", Keyword::Meter),
        ("run", Keyword::Run),
        ("vary", Keyword::Vary),
        ("expect", Keyword::Expect),
        ("scenario", Keyword::Scenario),
    ];

    /// The keyword of that spelling, whatever the case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, k)| *k)
    }

    /// The spelling.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it says.
    pub keyword: Keyword,
    /// Where the keyword stands.
    pub keyword_span: Span,
    /// What is between `:` and `;`. Items that could not be read are missing.
    pub items: Vec<Item>,
    /// The whole statement, its `;` included.
    pub span: Span,
    /// Whether items are missing because they could not be read.
    pub broken: bool,
}

/// A name at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// The place.
    pub span: Span,
}

/// What stands between two commas.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A value alone.
    Bare(Expr),
    /// `name = value`, or with another sign.
    Setting(Setting),
}

impl Item {
    /// The place.
    pub fn span(&self) -> Span {
        match self {
            Item::Bare(e) => e.span,
            Item::Setting(s) => s.span,
        }
    }
}

/// `name = value`, or with another sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What is left of the sign.
    pub name: Name,
    /// The sign.
    pub sign: Sign,
    /// Where the sign stands.
    pub sign_span: Span,
    /// What is right of it.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `=`, `<`, `<=`, `>` or `>=`.
    Relation(Relation),
    /// `!=`.
    Not,
}

impl Sign {
    /// `=`.
    pub const EQUAL: Sign = Sign::Relation(Relation::Equal);
    const ALL: [Sign; 6] = [
        Sign::EQUAL,
        Sign::Relation(Relation::Less),
        Sign::Relation(Relation::AtMost),
        Sign::Relation(Relation::More),
        Sign::Relation(Relation::AtLeast),
        Sign::Not,
    ];

    /// How it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Sign::Relation(r) => r.sign(),
            Sign::Not => "!=",
        }
    }

    /// The sign that is written so.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.text() == text)
    }
}

/// A value at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// The place.
    pub span: Span,
}

/// What a value is, as far as its spelling tells.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number, with or without a unit.
    Number(Number),
    /// A word: a name, or something that the place gives a meaning.
    Word(String),
    /// Text in quotes, escapes as written.
    Text(String),
    /// An IP address.
    Address(IpAddr),
    /// A MAC address.
    Mac(u64),
    /// `syn+ack`: two words or more.
    Flags(Vec<Name>),
    /// `address/length`, or `value/mask`.
    Slash(Box<Expr>, Box<Expr>),
    /// `a..b`.
    Range(Box<Expr>, Box<Expr>),
    /// `{…}`.
    Set(Vec<Expr>),
    /// `each` with what it goes through.
    Each(Box<Expr>),
    /// `name(…)`.
    Call(Name, Vec<Item>),
    /// `±2%`.
    Within(Box<Expr>),
    /// Something that has been reported already.
    Invalid,
}

/// A number as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The digits.
    pub text: String,
    /// The value.
    pub value: f64,
    /// The exact value, where it is a whole number.
    pub whole: Option<u128>,
    /// The unit.
    pub unit: Option<Unit>,
}

/// A unit, with what it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// `kpps`, `%`, `B`, …
    pub name: Name,
    /// `(ip)`, `(payload)`, …
    pub layer: Option<Name>,
}

impl Expr {
    /// What it is, in words for a message: "the number 5".
    pub fn describe(&self) -> String {
        match &self.kind {
            ExprKind::Number(n) if n.unit.is_some() => format!("`{self}`"),
            ExprKind::Number(_) => format!("the number {self}"),
            ExprKind::Word(w) => format!("the word `{w}`"),
            ExprKind::Text(_) => "text in quotes".into(),
            ExprKind::Address(a) => format!("the address {a}"),
            ExprKind::Mac(_) => "a MAC address".into(),
            ExprKind::Flags(_) => "a sum of flags".into(),
            ExprKind::Slash(..) => format!("`{self}`"),
            ExprKind::Range(..) => "a range".into(),
            ExprKind::Set(_) => "a set".into(),
            ExprKind::Each(_) => "`each`".into(),
            ExprKind::Call(n, _) => format!("`{}(…)`", n.text),
            ExprKind::Within(_) => format!("`{self}`"),
            ExprKind::Invalid => "something unreadable".into(),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { between } else { "" })?;
    }
    Ok(())
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(n) => n.fmt(f),
            ExprKind::Word(w) => f.write_str(w),
            ExprKind::Text(t) => write!(f, "\"{t}\""),
            ExprKind::Address(a) => a.fmt(f),
            ExprKind::Mac(m) => {
                let octets = m.to_be_bytes();
                for (i, o) in octets[2..].iter().enumerate() {
                    write!(f, "{}{o:02x}", if i > 0 { ":" } else { "" })?;
                }
                Ok(())
            }
            ExprKind::Flags(names) => list(f, names, "+"),
            ExprKind::Slash(a, b) => write!(f, "{a}/{b}"),
            ExprKind::Range(a, b) => write!(f, "{a}..{b}"),
            ExprKind::Set(members) => {
                f.write_str("{")?;
                list(f, members, ", ")?;
                f.write_str("}")
            }
            ExprKind::Each(e) => write!(f, "each {e}"),
            ExprKind::Call(name, items) => {
                write!(f, "{name}(")?;
                list(f, items, ", ")?;
                f.write_str(")")
            }
            ExprKind::Within(e) => write!(f, "±{e}"),
            ExprKind::Invalid => f.write_str("?"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Bare(e) => e.fmt(f),
            Item::Setting(s) => write!(f, "{} {} {}", s.name, s.sign.text(), s.value),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let Some(unit) = &self.unit else { return Ok(()) };
        write!(f, "{}{}", if unit.name.text == "%" { "" } else { " " }, unit.name)?;
        match &unit.layer {
            Some(layer) => write!(f, "({layer})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_stand_at_their_own_place() {
        for (name, keyword) in Keyword::ALL {
            assert_eq!(keyword.name(), name);
            assert_eq!(Keyword::from_name(&name.to_uppercase()), Some(keyword));
        }
    }
}
