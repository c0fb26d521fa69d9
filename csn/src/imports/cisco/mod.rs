//! Extended access lists of Cisco IOS: numbered and named lists of IPv4, and lists of IPv6.
//!
//! **Classes.** Each entry is a class of its own, since routers count by entry; it is called by its list, its sequence
//! number and its action, as `EDGE 10 permit`. What no entry matches is `others`: the router would drop it. One list of
//! each IP version is taken over, since a packet is held against one list only.
//!
//! **Order.** Entries are tried by sequence number, not by their place in the text. Those without one get the last one
//! and ten.
//!
//! **Fragments.** A later fragment has no transport header. IOS lets it match a `permit` entry by addresses and
//! protocol alone, and no `deny` entry that tests more. So a `permit` entry that tests ports, flags or ICMP types is taken
//! over as two rules: the entry, and the same for later fragments without these tests.
//!
//! **Left aside.** `log` and `log-input`, and the lines that bind a list to an interface. Remarks and comments are skipped.

mod entry;
mod names;
mod options;

use super::builder::lines;
use super::{Builder, Import, Imported};
use crate::diagnostic::Span;
use crate::field::Field;
use crate::packet::fragment;
use crate::value::{Value, ValueSet};
use entry::Entry;

/// The import `cisco`.
pub struct Cisco;

impl Import for Cisco {
    fn name(&self) -> &'static str {
        "cisco"
    }

    fn summary(&self) -> &'static str {
        "extended access lists of Cisco IOS for IPv4 and IPv6, a class for each entry"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.cisco")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut reader = Reader::default();
        for (span, line) in lines(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            reader.line(span, &words);
        }
        reader.finish()
    }
}

/// Why an entry is not taken over.
enum Problem {
    Malformed(String),
    Lost(String),
}

fn malformed<T>(what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Malformed(what.into()))
}

fn lost<T>(what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Lost(what.into()))
}

type Tests = Vec<(Field, ValueSet)>;

/// A list that entries belong to.
struct List {
    name: String,
    family: u8,
    entries: Vec<(u32, Entry, Span)>,
}

/// Where entries go.
#[derive(Clone, Copy, Default)]
enum Open {
    /// No list is open.
    #[default]
    None,
    /// The list of that place.
    List(usize),
    /// A list that is not taken over, for that reason.
    Lost(&'static str),
}

#[derive(Default)]
struct Reader {
    out: Builder,
    lists: Vec<List>,
    open: Open,
}

const STANDARD: &str =
    "it is an entry of a standard list, which is about sources only: write it as an extended one";
const SECOND: &str = "a packet is held against one list of each IP version: import the lists one by one";

const SAME_NAME: &str = "a list of the other IP version has the same name, which IOS does not let happen";

impl Reader {
    fn line(&mut self, span: Span, words: &[&str]) {
        match words {
            [] | ["end" | "exit" | "exit-acl"] => {
                self.open = if words.is_empty() { self.open } else { Open::None }
            }
            [first, ..] if first.starts_with('!') => (),
            ["configure", "terminal"] => (),
            ["ip", "access-list", "extended", name] => self.open(name, 4),
            ["ip", "access-list", "standard", ..] => self.open = Open::Lost(STANDARD),
            ["ipv6", "access-list", name] => self.open(name, 6),
            ["access-list", number, rest @ ..] => self.numbered(span, number, rest),
            ["interface", ..] => self.binding(span),
            ["ip", "access-group", ..] | ["ipv6", "traffic-filter", ..] => self.binding(span),
            ["remark", ..] | [_, "remark", ..] => (),
            ["sequence", number, rest @ ..] => self.sequenced(span, number, rest),
            ["permit" | "deny", ..] => self.entry(span, None, words),
            [number, rest @ ..] => self.sequenced(span, number, rest),
        }
    }

    fn binding(&mut self, span: Span) {
        self.open = Open::None;
        self.out.aside(span, "this line is left aside", "where a list is used is no part of its rules");
    }

    /// Opens the list of that name, a new one where there is none of the IP version.
    fn open(&mut self, name: &str, family: u8) {
        let found = self.lists.iter().position(|l| l.family == family);
        self.open = match found {
            Some(i) if self.lists[i].name == name => Open::List(i),
            Some(_) => Open::Lost(SECOND),
            None if self.lists.iter().any(|l| l.name == name) => Open::Lost(SAME_NAME),
            None => {
                self.lists.push(List { name: name.into(), family, entries: Vec::new() });
                Open::List(self.lists.len() - 1)
            }
        };
    }

    /// `access-list 101 permit …`.
    fn numbered(&mut self, span: Span, number: &str, rest: &[&str]) {
        match number.parse::<u32>() {
            Ok(100..=199 | 2000..=2699) => self.open(number, 4),
            Ok(1..=99 | 1300..=1999) => self.open = Open::Lost(STANDARD),
            _ => return self.malformed(span, format!("`{number}` is not the number of an IP access list")),
        }
        if !matches!(rest, ["remark", ..]) {
            self.entry(span, None, rest);
        }
        self.open = Open::None;
    }

    fn sequenced(&mut self, span: Span, number: &str, rest: &[&str]) {
        match number.parse::<u32>() {
            Ok(_) if matches!(rest, ["remark", ..]) => (),
            Ok(sequence) if sequence > 0 => self.entry(span, Some(sequence), rest),
            _ => self.malformed(span, format!("`{number}` does not start a line of an access list")),
        }
    }

    fn malformed(&mut self, span: Span, message: String) {
        let cure = "an entry is `10 permit tcp 10.0.0.0 0.255.255.255 any eq 80`, behind `ip access-list extended NAME`";
        self.out.malformed(span, message, cure);
    }

    /// `permit …` or `deny …` of the open list.
    fn entry(&mut self, span: Span, sequence: Option<u32>, words: &[&str]) {
        let list = match self.open {
            Open::None => return self.malformed(span, "this entry belongs to no list".into()),
            Open::Lost(reason) => return self.out.lost(span, "this entry is not taken over", reason),
            Open::List(i) => &mut self.lists[i],
        };
        let next = list.entries.last().map_or(0, |(s, ..)| *s).saturating_add(10);
        match entry::entry(words, list.family) {
            Ok(entry) => {
                let logged = entry.log;
                list.entries.push((sequence.unwrap_or(next), entry, span));
                if logged {
                    self.out.aside(span, "`log` is left aside", "it changes no class");
                }
            }
            Err(Problem::Malformed(what)) => self.malformed(span, what),
            Err(Problem::Lost(reason)) => self.out.lost(span, "this entry is not taken over", reason),
        }
    }

    fn finish(mut self) -> Imported {
        for mut list in std::mem::take(&mut self.lists) {
            list.entries.sort_by_key(|(sequence, ..)| *sequence);
            let mut last = None;
            for (sequence, entry, span) in list.entries {
                if last.replace(sequence) == Some(sequence) {
                    self.malformed(span, format!("the list {} has two entries {sequence}", list.name));
                    continue;
                }
                let action = if entry.permit { "permit" } else { "deny" };
                let class = self.out.class(&format!("{} {sequence} {action}", list.name), span);
                self.out.rule(class, [entry.header.clone(), entry.transport.clone()].concat(), span);
                if entry.permit && !entry.transport.is_empty() {
                    let later = ValueSet::single(Value::number(fragment::LATER));
                    self.out.rule(class, [entry.header, vec![(Field::Fragment, later)]].concat(), span);
                }
            }
        }
        self.out.finish()
    }
}

#[cfg(test)]
mod tests;
