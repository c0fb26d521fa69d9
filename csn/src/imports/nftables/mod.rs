//! Rules of nftables as `nft -j list ruleset` prints them (libnftables-json(5)). Names of values are known; `nft -n`,
//! which prints numbers, is not to be used, since nft 1.0.6 prints EtherTypes with their octets exchanged then.
//!
//! The rules of the one chain at a hook that has rules are taken over in order, with those of the chains that it calls
//! in their places. **A rule with a verdict is a rule of the notation**, whatever the verdict; what the chain's policy
//! decides is `others`. Its class is that of its named counter, else that of its comment, else one of its own. Rules
//! in maps (to counters or verdicts) and in named sets are unfolded. A last rule that tests nothing and only counts is
//! the counter of `others`.
//!
//! Not taken over, each with its place: rules that count and go on (a packet would be of two classes), states, limits,
//! marks, interfaces by name, `ip6 nexthdr` (it looks at the first header only), ports without a protocol that has
//! them, and `return` in chains that are called.
//!
//! A test of a field of IPv4 or IPv6 asks for that version. Where nothing else does, the rule says `srcip = 0.0.0.0/0`
//! or `srcip = ::/0`.

pub(in crate::imports) mod classes;
pub(in crate::imports) mod conjunction;
mod expressions;
mod ruleset;
#[cfg(test)]
mod tests;
mod values;
mod words;

use super::{Builder, Import, Imported};
use crate::diagnostic::{FileId, Span};
use ruleset::{Listing, Rule, Walk, table};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use values::key;

/// The import `nftables`.
pub struct Nftables;

impl Import for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn summary(&self) -> &'static str {
        "rules of nftables as `nft -j list ruleset` prints them, a class for each counter, comment or rule"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.nftables")
    }

    fn form(&self) -> Option<&'static str> {
        Some("json")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        if text.trim().is_empty() {
            return out.finish();
        }
        let cure = "save what `nft -j list ruleset` prints";
        match serde_json::from_str::<File>(text) {
            Ok(file) => {
                let listing = listing(text, &file, &mut out);
                read(text, &listing, &mut out);
            }
            Err(e) => {
                let at = offset(text, e.line(), e.column());
                out.malformed(span(at, at), format!("this is no listing of nftables as JSON: {e}"), cure);
            }
        }
        out.finish()
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    nftables: Vec<&'a RawValue>,
}

/// An object of the listing: its kind and the rest.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    rule: Option<&'a RawValue>,
    #[serde(borrow)]
    add: Option<&'a RawValue>,
    #[serde(flatten)]
    other: serde_json::Map<String, Json>,
}

fn span(start: usize, end: usize) -> Span {
    Span { file: FileId(0), start: start as u32, end: end as u32 }
}

/// Where a piece of the text stands in it.
fn place(text: &str, piece: &str) -> Span {
    let start = (piece.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    span(start, (start + piece.len()).min(text.len()))
}

/// The octet at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Sorts the objects of the listing.
fn listing<'a>(text: &str, file: &File<'a>, out: &mut Builder) -> Listing<'a> {
    let mut listing = Listing::default();
    for raw in &file.nftables {
        let mut at = *raw;
        let mut object = serde_json::from_str::<Object>(raw.get());
        if let Ok(Object { add: Some(inner), .. }) = object {
            at = inner;
            object = serde_json::from_str::<Object>(inner.get());
        }
        let here = place(text, at.get());
        let problem = match object {
            Ok(Object { rule: Some(rule), .. }) => match serde_json::from_str::<Rule>(rule.get()) {
                Ok(rule) => {
                    listing.add(rule, here);
                    None
                }
                Err(e) => Some(e.to_string()),
            },
            Ok(object) => {
                object.other.iter().find_map(|(kind, value)| entry(&mut listing, kind, value, here))
            }
            Err(e) => Some(e.to_string()),
        };
        if let Some(problem) = problem {
            out.malformed(here, format!("this object cannot be read: {problem}"), "list the rule set anew");
        }
    }
    listing
}

/// An object that is no rule; answers what is wrong with it.
fn entry(listing: &mut Listing, kind: &str, value: &Json, here: Span) -> Option<String> {
    let text = |name: &str| value.get(name).and_then(Json::as_str);
    let name = || Some(key(&table(text("family")?, text("table")?), text("name")?));
    match kind {
        "chain" if text("hook").is_some() => match name() {
            Some(chain) => listing.bases.push((here, chain)),
            None => return Some("a chain has a family, a table and a name".into()),
        },
        "set" | "map" => match name() {
            Some(set) => {
                let all = value.get("elem").and_then(Json::as_array).cloned().unwrap_or_default();
                listing.sets.insert(set, all);
            }
            None => return Some("a set has a family, a table and a name".into()),
        },
        "counter" => {
            if let (Some(counter), Some(comment)) = (name(), text("comment")) {
                listing.counters.insert(counter, comment.to_owned());
            }
        }
        "element" => {
            let all = value.get("elem").and_then(Json::as_array).cloned().unwrap_or_default();
            if let Some(set) = name() {
                listing.sets.entry(set).or_default().extend(all);
            }
        }
        _ => (),
    }
    None
}

/// The rules of the chain that has some.
fn read(text: &str, listing: &Listing, out: &mut Builder) {
    let mut used = listing.bases.iter().filter(|(_, chain)| listing.chains.contains_key(chain));
    let Some((_, first)) = used.next() else {
        if !listing.chains.is_empty() {
            let all = span(0, text.len());
            out.lost(
                all,
                "no rule is taken over",
                "none of the chains is at a hook, so no packet comes to them",
            );
        }
        return;
    };
    for (at, other) in used {
        let name = other.replace('\u{0}', " ");
        let reason = "a packet comes to several chains at hooks, but is of one class; \
                      the rules of the first such chain are taken over";
        out.lost(*at, format!("the chain `{name}` is not taken over"), reason);
    }
    Walk::new(listing, text, out).base(first);
}
