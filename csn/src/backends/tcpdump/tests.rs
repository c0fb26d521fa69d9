//! Expressions against the oracle, on frames without anything that is declared as lost: once read by an evaluator
//! of the few forms that are written here, once compiled by tcpdump, where it is installed.

use super::*;
use crate::backends::example_rules;
use crate::cbpf::{Ancillary, Instruction, Interpreter};
use crate::packet;
use crate::sample::{Layout, Random, encode, rule_set};
use std::process::Command;

/// Reads an expression from left to right while it evaluates it; `None` is a load from behind the frame.
struct Evaluator<'a> {
    words: Vec<&'a str>,
    at: usize,
    frame: &'a [u8],
}

/// Words: names, numbers, addresses, and the marks between them.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let wide = [">=", "<=", "!=", "<<", ">>"].iter().any(|m| rest.starts_with(m));
        let name = |c: char| c.is_ascii_alphanumeric() || ".:/-".contains(c);
        let end = match first {
            _ if wide => 2,
            c if name(c) => rest.find(|c: char| !name(c)).unwrap_or(rest.len()),
            _ => 1,
        };
        // the `12:2` of an accessor; addresses have more colons
        let end = match rest[..end].split_once(':') {
            Some((a, b)) if !a.is_empty() && !b.is_empty() && !b.contains(':') => a.len(),
            _ => end,
        };
        out.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    out
}

impl Evaluator<'_> {
    fn peek(&self) -> &str {
        self.words.get(self.at).copied().unwrap_or("")
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == word;
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.words[self.at - 1].to_string()
    }

    /// `and` and `or` have the same rank in libpcap and group from the left; the back end always sets brackets.
    fn sentence(&mut self) -> bool {
        let mut value = self.primary();
        let mut kind = String::new();
        while matches!(self.peek(), "and" | "or") {
            let word = self.next();
            assert!(kind.is_empty() || kind == word, "`and` and `or` without brackets");
            let other = self.primary();
            value = if word == "and" { value && other } else { value || other };
            kind = word;
        }
        value
    }

    fn ether_type(&self) -> u16 {
        u16::from_be_bytes([self.frame[12], self.frame[13]])
    }

    fn protocol(&self) -> u8 {
        if self.ether_type() == packet::IPV4 { self.frame[23] } else { self.frame[20] }
    }

    fn primary(&mut self) -> bool {
        if self.take("not") {
            return !self.primary();
        }
        let start = self.at;
        if self.take("(") {
            // a bracket around a sentence, or around a number
            let value = self.sentence_or_none();
            if let Some(value) = value.filter(|_| self.take(")")) {
                return value;
            }
            self.at = start;
        }
        let layer = match self.peek() {
            "ip" => Some((packet::IPV4, 26, 4)),
            "ip6" => Some((packet::IPV6, 22, 16)),
            _ => None,
        };
        let accessor = self.words.get(self.at + 1) == Some(&"[");
        if let Some((kind, at, octets)) = layer.filter(|_| !accessor) {
            self.at += 1;
            let here = self.ether_type() == kind;
            let side = match self.peek() {
                "src" => 0,
                "dst" => octets,
                _ => return here,
            };
            self.at += 2;
            let network = self.next();
            return here && covers(&network, &self.frame[at + side..at + side + octets]);
        }
        let protocol = match self.peek() {
            "tcp" => Some(6),
            "udp" => Some(17),
            "sctp" => Some(132),
            _ => None,
        };
        if let Some(protocol) = protocol {
            return self.port(protocol);
        }
        if self.peek() == "ether" && !accessor {
            self.at += 1;
            let at = if self.next() == "src" { 6 } else { 0 };
            let octets: Vec<String> = self.frame[at..at + 6].iter().map(|o| format!("{o:02x}")).collect();
            return self.next() == octets.join(":");
        }
        self.relation().unwrap_or(false)
    }

    fn sentence_or_none(&mut self) -> Option<bool> {
        // `(` begins a number where a relation or an operator follows its `)`
        let mut depth = 1;
        let close = (self.at..self.words.len()).find(|i| {
            depth += match self.words[*i] {
                "(" => 1,
                ")" => -1,
                _ => 0,
            };
            depth == 0
        })?;
        let behind = self.words.get(close + 1).copied().unwrap_or("");
        (!matches!(behind, "&" | "<<" | ">>" | "+" | "=" | "!=" | "<=" | ">=" | "<")).then(|| self.sentence())
    }

    fn port(&mut self, protocol: u8) -> bool {
        self.at += 1;
        let side = if self.next() == "src" { 0 } else { 2 };
        self.at += 1;
        let range = self.next();
        let (lo, hi) = range.split_once('-').unwrap_or((&range, &range));
        let later = self.ether_type() == packet::IPV4 && (self.frame[20] & 0x1f, self.frame[21]) != (0, 0);
        let ip = [packet::IPV4, packet::IPV6].contains(&self.ether_type());
        if !ip || self.protocol() != protocol || later {
            return false;
        }
        let header =
            if self.ether_type() == packet::IPV4 { usize::from(self.frame[14] & 0xf) * 4 } else { 40 };
        let at = 14 + header + side;
        let port = u16::from_be_bytes([self.frame[at], self.frame[at + 1]]);
        (lo.parse().unwrap()..=hi.parse().unwrap()).contains(&port)
    }

    fn relation(&mut self) -> Option<bool> {
        let left = self.arithmetic();
        let relation = self.next();
        let right = self.arithmetic()?;
        let left = left?;
        Some(match relation.as_str() {
            "=" => left == right,
            "!=" => left != right,
            "<" => left < right,
            "<=" => left <= right,
            ">=" => left >= right,
            other => panic!("{other}"),
        })
    }

    fn arithmetic(&mut self) -> Option<u64> {
        let mut value = self.operand();
        while matches!(self.peek(), "&" | "<<" | ">>" | "+") {
            let operator = self.next();
            let right = self.operand();
            value = value.zip(right).map(|(a, b)| match operator.as_str() {
                "&" => a & b,
                "<<" => a << b,
                ">>" => a >> b,
                _ => a + b,
            });
        }
        value
    }

    fn operand(&mut self) -> Option<u64> {
        if self.take("(") {
            let value = self.arithmetic();
            assert!(self.take(")"));
            return value;
        }
        let word = self.next();
        let (kind, base) = match word.as_str() {
            "len" => return Some(self.frame.len() as u64),
            "ether" => (None, 0),
            "ip" => (Some(packet::IPV4), 14),
            "ip6" => (Some(packet::IPV6), 14),
            number => {
                return Some(match number.strip_prefix("0x") {
                    Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
                    None => number.parse().unwrap(),
                });
            }
        };
        assert!(self.take("["));
        let at = self.arithmetic();
        let octets = self.peek().strip_prefix(':').map_or(1, |n| n.parse().unwrap());
        self.at += usize::from(octets > 1);
        assert!(self.take("]"), "{:?}", &self.words[self.at..]);
        let at = base + at? as usize;
        if kind.is_some_and(|k| k != self.ether_type()) {
            return None;
        }
        Some(self.frame.get(at..at + octets)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }
}

fn covers(network: &str, address: &[u8]) -> bool {
    let (base, len) = network.split_once('/').unwrap_or((network, "128"));
    let base: std::net::IpAddr = base.parse().unwrap();
    let octets = match base {
        std::net::IpAddr::V4(a) => a.octets().to_vec(),
        std::net::IpAddr::V6(a) => a.octets().to_vec(),
    };
    let len: usize = len.parse().unwrap();
    let bit = |o: &[u8], i: usize| o[i / 8] >> (7 - i % 8) & 1;
    (0..len.min(octets.len() * 8)).all(|i| bit(&octets, i) == bit(address, i))
}

fn evaluate(expression: &str, frame: &[u8]) -> bool {
    let mut evaluator = Evaluator { words: words(expression), at: 0, frame };
    let value = evaluator.sentence();
    assert_eq!(evaluator.at, evaluator.words.len(), "{:?}", &evaluator.words[evaluator.at..]);
    value
}

/// What tcpdump makes of an expression; none where it is not installed.
fn compiled(expression: &str) -> Option<Interpreter> {
    let text = Command::new("tcpdump").args(["-y", "EN10MB", "-ddd", expression]).output().ok()?;
    if !text.status.success() {
        let said = String::from_utf8_lossy(&text.stderr).into_owned();
        assert!(said.contains("rejects all packets"), "{expression}\n{said}");
        return None;
    }
    let numbers = |line: &str| line.split(' ').map(|n| n.parse().unwrap()).collect::<Vec<u32>>();
    let program: Vec<Instruction> = String::from_utf8(text.stdout)
        .unwrap()
        .lines()
        .skip(1)
        .map(numbers)
        .map(|n| Instruction { code: n[0] as u16, jt: n[1] as u8, jf: n[2] as u8, k: n[3] })
        .collect();
    Some(Interpreter::new(&program).unwrap())
}

#[test]
fn expressions_mean_what_the_oracle_means() {
    let mut random = Random::new(11);
    let mut checked = 0;
    let installed = Command::new("tcpdump")
        .args(["-y", "EN10MB", "-ddd", "ip"])
        .output()
        .is_ok_and(|o| o.status.success());
    if !installed {
        println!("skipped with tcpdump itself: it cannot be run (apt install tcpdump)");
    }
    for set in 0..150 {
        let count = 1 + random.below(8);
        let mut rules = rule_set(&mut random, count, &Field::ALL[1..]);
        let made = Tcpdump.emit(&rules, &Options { invert: random.chance(20), ..Options::default() });
        let inverted = made.artefact.starts_with("not (");
        let left_out = |i: usize| made.losses.iter().any(|l| l.rule == i && l.reason.starts_with("left out"));
        let mut place = 0;
        rules.rules.retain(|_| {
            place += 1;
            !left_out(place - 1)
        });
        let expression = made.artefact.trim();
        let machine = Some(()).filter(|()| installed).and_then(|()| compiled(expression));
        for _ in 0..100 {
            let mut key = crate::sample::Frames::new(&rules).draw_whole(&mut random).key();
            // nothing of what is declared as lost
            key.clear(Field::Mpls);
            key.clear(Field::EtherType);
            let link = |f: &Field| *f < Field::EtherType || *f == Field::Vlan;
            let untouched = rules.rules.iter().flat_map(|r| &r.tests).all(|(f, _)| link(f));
            let tagged = untouched && random.chance(30);
            if !tagged {
                key.clear(Field::Vlan);
            }
            if key.get(Field::SrcIp).is_some_and(|a| a.family == 6) {
                key.set_number(Field::Fragment, 0);
            }
            let layout = Layout { options: random.below(3), payload: 20, ..Layout::default() };
            let frame = encode(&key, &layout);
            let key = packet::parse(&frame, None);
            let six = key.get(Field::SrcIp).is_some_and(|a| a.family == 6);
            if six && packet::EXTENSIONS.contains(&frame[20]) {
                continue;
            }
            let wanted = rules.rules.iter().any(|r| r.matches(&key)) != inverted;
            assert_eq!(evaluate(expression, &frame), wanted, "set {set}: {key}\n{expression}\n{rules:?}");
            if let Some(machine) = &machine {
                assert_eq!(
                    machine.run(&frame, &Ancillary::default()) != 0,
                    wanted,
                    "set {set}: {key}\n{expression}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 8000, "{checked}");
}

#[test]
fn what_libpcap_does_not_see_is_declared() {
    let mut rules = example_rules();
    let made = Tcpdump.emit(&rules, &Options::default());
    assert_eq!(made.losses, []);
    let kinds: Vec<_> = made.outside.iter().map(|o| o.kind).collect();
    assert_eq!(kinds, [FrameKind::Tagged, FrameKind::Labelled, FrameKind::Malformed]);
    let tests = |f: Field| vec![(f, f.domain())];
    rules.rules[0].tests = tests(Field::Interface);
    rules.rules[1].tests = tests(Field::SrcMac);
    let made = Tcpdump.emit(&rules, &Options::default());
    assert_eq!(made.losses.iter().map(|l| l.rule).collect::<Vec<_>>(), [0]);
    assert_eq!(made.outside, []);
    assert_eq!(made.artefact, "len >= 0\n");
}
