//! Rust's `regex` for patterns over frames, and for the automaton a walk over its own text.

use crate::agree::{Engine, Job, backend};
use csn::backends::{Backend, Form, Options};
use csn::{Field, Key, packet};
use std::collections::HashMap;

fn form(name: &str) -> Form {
    backend("regex").forms().iter().find(|f| f.name == name).copied().expect("the form exists")
}

/// The first line that matches, of all patterns at once.
pub struct Patterns;

impl Engine for Patterns {
    fn name(&self) -> String {
        "regex".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("regex")
    }

    fn options(&self) -> Options {
        Options { form: Some(form("bytes")), ..Options::default() }
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        None
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let lines = made.artefact.lines().filter(|l| !l.starts_with('#'));
        let (labels, patterns): (Vec<&str>, Vec<&str>) = lines.filter_map(|l| l.split_once('\t')).unzip();
        let set = regex::bytes::RegexSetBuilder::new(&patterns)
            .unicode(false)
            .size_limit(1 << 30)
            .dfa_size_limit(1 << 28)
            .build()
            .expect("the patterns are of the syntax");
        let classes: HashMap<&str, usize> =
            made.labels.iter().map(|(l, c)| (l.as_str(), c.index())).collect();
        let mut out = vec![Some(0); rules.classes.len()];
        for frame in frames {
            let class = set.matches(frame).iter().next().map_or(0, |line| classes[labels[line]]);
            out[class] = out[class].map(|n| n + 1);
        }
        out
    }
}

/// The automaton as it is written.
pub struct Table;

impl Engine for Table {
    fn name(&self) -> String {
        "regex (dfa)".into()
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("regex")
    }

    fn options(&self) -> Options {
        Options { form: Some(form("dfa")), ..Options::default() }
    }

    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn most_rules(&self) -> usize {
        40
    }

    fn missing(&self) -> Option<String> {
        None
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let table = read(&made.artefact);
        let classes: HashMap<&str, usize> =
            made.labels.iter().map(|(l, c)| (l.as_str(), c.index())).collect();
        let mut out = vec![Some(0); rules.classes.len()];
        for frame in frames {
            let key = packet::parse(frame, None);
            let mut octets = packed(&key, &table.key).into_iter();
            let mut state = table.start;
            let label = loop {
                if let Some(label) = table.classes.get(&state) {
                    break *label;
                }
                let octet = octets.next().expect("the key is long enough");
                state = table.states[&state].iter().find(|(last, _)| octet <= *last).expect("every octet").1;
            };
            out[classes[label]] = out[classes[label]].map(|n| n + 1);
        }
        out
    }
}

struct Automaton<'a> {
    key: Vec<Field>,
    classes: HashMap<u32, &'a str>,
    start: u32,
    states: HashMap<u32, Vec<(u8, u32)>>,
}

fn read(text: &str) -> Automaton<'_> {
    let mut out = Automaton { key: vec![], classes: HashMap::new(), start: u32::MAX, states: HashMap::new() };
    let number = |t: &str| t.parse::<u32>().expect("a number");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "key" => {
                out.key = rest.split_whitespace().map(|n| Field::from_name(n).expect("a field")).collect()
            }
            "start" => out.start = number(rest),
            "class" => {
                let (state, label) = rest.split_once(' ').expect("a label");
                out.classes.insert(number(state), label);
            }
            _ => {
                let edge = |e: &str| {
                    let (last, to) = e.split_once('>').expect("an edge");
                    (u8::from_str_radix(last, 16).expect("an octet"), number(to))
                };
                let state = number(word.strip_suffix(':').expect("a state"));
                out.states.insert(state, rest.split(' ').map(edge).collect());
            }
        }
    }
    out
}

/// The packed key as the documentation says: a mark, and the octets of the value.
fn packed(key: &Key, fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let Some(value) = key.get(*field) else {
            out.push(0);
            continue;
        };
        let (mark, octets) = match value.family {
            4 => (4, 4),
            6 => (6, 16),
            _ => (1, (field.width() as usize).div_ceil(8)),
        };
        out.push(mark);
        out.extend(&value.bits.to_be_bytes()[16 - octets..]);
    }
    out
}
