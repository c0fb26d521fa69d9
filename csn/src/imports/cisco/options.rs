//! What follows the addresses of an entry.

use super::entry::{About, Entry, Words, comparison, single};
use super::names::{self, named, number};
use super::{Problem, lost, malformed};
use crate::field::Field;
use crate::packet::{TCP, fragment};
use crate::value::{Range, Value, ValueSet};

/// Reads one option.
pub(super) fn option(words: &mut Words<'_>, about: About, out: &mut Entry) -> Result<(), Problem> {
    let word = words.next("an option")?;
    let tcp = about.protocol == Some(TCP);
    match word {
        "log" | "log-input" => {
            out.log = true;
            // a word that marks the messages may follow
            if words.peek().is_some_and(|w| w.starts_with("tag:")) {
                words.next("a tag")?;
            }
        }
        "fragments" => out.header.push((Field::Fragment, single(fragment::LATER as u32))),
        "dscp" => {
            let value = value(words, "a code point", 63, names::DSCP)?;
            out.header.push((Field::Dscp, single(value)));
        }
        "precedence" if about.family == 4 => {
            let value = value(words, "a precedence", 7, names::PRECEDENCE)?;
            out.header.push((Field::Tos, octets(|o| u32::from(o >> 5) == value)));
        }
        "tos" if about.family == 4 => {
            let value = value(words, "a type of service", 15, names::TOS)?;
            out.header.push((Field::Tos, octets(|o| u32::from(o >> 1 & 0xf) == value)));
        }
        "ttl" if about.family == 4 => match comparison(words, 255, |w| w.parse().ok())? {
            Some(set) => out.header.push((Field::Ttl, set)),
            None => return malformed("a comparison must follow `ttl`"),
        },
        "flow-label" if about.family == 6 => {
            let value = value(words, "a flow label", 0xf_ffff, &[])?;
            out.header.push((Field::FlowLabel, single(value)));
        }
        "established" if tcp => out.transport.push((Field::TcpFlags, octets(|o| o & 0x14 != 0))),
        "match-any" | "match-all" if tcp => {
            out.transport.push((Field::TcpFlags, flags(words, word == "match-all")?))
        }
        _ if let Some(bit) = named(word, names::FLAGS).filter(|_| tcp) => {
            if words.peek().is_some_and(|w| named(w, names::FLAGS).is_some()) {
                return lost("releases differ in what several flags without `match-any` or `match-all` mean");
            }
            out.transport.push((Field::TcpFlags, octets(|o| u32::from(o) & bit != 0)));
        }
        "time-range" => return lost("rules do not depend on the time"),
        "reflect" => return lost("entries that a router makes at run time are not known"),
        "option" => return lost("the notation does not test the options of IPv4"),
        "dest-option"
        | "dest-option-type"
        | "mobility"
        | "mobility-type"
        | "routing"
        | "routing-type"
        | "hbh"
        | "auth"
        | "undetermined-transport" => return lost("the notation does not test extension headers"),
        _ if about.is_icmp() => icmp(word, words, about, out)?,
        _ => return malformed(format!("`{word}` is not an option of this entry")),
    }
    Ok(())
}

fn value(words: &mut Words<'_>, what: &str, most: u32, names: names::Names) -> Result<u32, Problem> {
    let word = words.next(what)?;
    number(word, most, names).ok_or_else(|| Problem::Malformed(format!("`{word}` is not {what}")))
}

fn octets(accepts: impl Fn(u8) -> bool) -> ValueSet {
    let accepted = (0..=255u8).filter(|o| accepts(*o));
    ValueSet::from_ranges(accepted.map(|o| Range::numbers(o.into(), o.into())))
}

/// `+syn -ack`, until something else follows.
fn flags(words: &mut Words<'_>, all: bool) -> Result<ValueSet, Problem> {
    let mut wanted: Vec<(bool, u32)> = Vec::new();
    while let Some(word) = words.peek() {
        let Some(set) =
            word.strip_prefix('+').map(|_| true).or_else(|| word.strip_prefix('-').map(|_| false))
        else {
            break;
        };
        let Some(bit) = named(&word[1..], names::FLAGS) else {
            return malformed(format!("`{word}` is not a flag of TCP"));
        };
        words.next("a flag")?;
        wanted.push((set, bit));
    }
    if wanted.is_empty() {
        return malformed("flags such as `+syn` must follow");
    }
    Ok(octets(|o| {
        let mut holds = wanted.iter().map(|(set, bit)| (u32::from(o) & bit != 0) == *set);
        if all { holds.all(|h| h) } else { holds.any(|h| h) }
    }))
}

/// A type and its code by number, or what names both.
fn icmp(word: &str, words: &mut Words<'_>, about: About, out: &mut Entry) -> Result<(), Problem> {
    let table = if about.family == 4 { names::ICMP } else { names::ICMPV6 };
    if let Some((_, kind, code)) = table.iter().find(|(n, ..)| *n == word) {
        out.transport.push((Field::IcmpType, single(*kind)));
        out.transport.extend(code.map(|c| (Field::IcmpCode, single(c))));
        return Ok(());
    }
    let Some(kind) = number(word, 255, &[]) else {
        return malformed(format!("`{word}` is neither an option nor an ICMP type"));
    };
    out.transport.push((Field::IcmpType, ValueSet::single(Value::number(kind.into()))));
    if let Some(code) = words.peek().and_then(|w| number(w, 255, &[])) {
        words.next("a code")?;
        out.transport.push((Field::IcmpCode, single(code)));
    }
    Ok(())
}
