//! The options of one rule.

use crate::field::Field;
use crate::imports::nftables::conjunction::{Conjunction, Pieces};
use crate::packet::{ICMP, ICMPV6, TCP};
use crate::resolve::words as names;
use crate::value::{Range, Value, ValueSet};

/// Why a rule is not read.
pub(super) enum Problem {
    /// It is not of the format.
    Malformed(String),
    /// The notation cannot say it.
    Lost(String),
}

/// A rule, read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// What must hold: one of these.
    pub(super) ways: Vec<Conjunction>,
    pub(super) target: Option<String>,
    /// `-g` instead of `-j`.
    pub(super) goes: bool,
    pub(super) comment: Option<String>,
}

impl Parsed {
    /// Whether no later rule is tried for what it matches, without a chain of the user's.
    pub(super) fn decides(&self) -> bool {
        matches!(self.target.as_deref(), Some("ACCEPT" | "DROP" | "RETURN" | "REJECT" | "QUEUE" | "NFQUEUE"))
    }
}

/// The words of a line; none where a quote does not end.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    let (mut word, mut quoted) = (None::<String>, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => word.get_or_insert_default().extend(chars.next()),
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => out.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    (!quoted).then_some(out)
}

/// Reads the options behind the chain's name.
pub(super) fn parse(words: &[String], family: u8) -> Result<Parsed, Problem> {
    let mut reader = Reader {
        words: words.iter(),
        family,
        not: false,
        protocol: None,
        tests: Conjunction::default(),
        pieces: None,
    };
    let mut out = Parsed { ways: Vec::new(), target: None, goes: false, comment: None };
    while let Some(word) = reader.words.next() {
        match word.as_str() {
            "!" => {
                reader.not = true;
                continue;
            }
            "-j" | "--jump" | "-g" | "--goto" => {
                out.goes = word == "-g" || word == "--goto";
                out.target = Some(reader.value()?.clone());
            }
            "--comment" => out.comment = Some(reader.value()?.clone()),
            // what a verdict does with a packet is no test of it
            "--reject-with" | "--queue-num" => {
                reader.value()?;
            }
            "-c" | "--set-counters" => {
                reader.value()?;
                reader.value()?;
            }
            "-m" | "--match" => reader.module()?,
            option => reader.option(option)?,
        }
        reader.not = false;
    }
    if let Some(pieces) = reader.pieces {
        reader.tests.pieces(pieces);
    }
    out.ways = vec![reader.tests];
    Ok(out)
}

struct Reader<'a> {
    words: std::slice::Iter<'a, String>,
    family: u8,
    /// A `!` in front.
    not: bool,
    protocol: Option<u8>,
    tests: Conjunction,
    pieces: Option<Pieces>,
}

fn lost<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Lost(reason.into()))
}

fn malformed<T>(what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Malformed(what.into()))
}

fn integer(text: &str) -> Option<u128> {
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<&'a String, Problem> {
        match self.words.next() {
            Some(value) => Ok(value),
            None => malformed("an option has no value"),
        }
    }

    /// The set, or with `!` what is left of the field.
    fn signed(&self, field: Field, set: ValueSet) -> ValueSet {
        let all = match field.is_address() {
            true => Range::prefix(Value { family: self.family, bits: 0 }, 0).into(),
            false => field.domain(),
        };
        if self.not { all.subtract(&set) } else { set }
    }

    fn test(&mut self, field: Field, set: ValueSet) {
        let set = self.signed(field, set);
        self.tests.test(field, set);
    }

    fn module(&mut self) -> Result<(), Problem> {
        let name = self.value()?;
        match name.as_str() {
            "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmp6" | "multiport" | "iprange"
            | "dscp" | "tos" | "ttl" | "hl" | "length" | "mac" | "comment" | "u32" | "frag" => Ok(()),
            other => lost(format!("the match `{other}` tests what is no field of the notation")),
        }
    }

    fn option(&mut self, option: &str) -> Result<(), Problem> {
        match option {
            "-s" | "--source" | "--src" => self.address(Field::SrcIp),
            "-d" | "--destination" | "--dst" => self.address(Field::DstIp),
            "--src-range" => self.address_range(Field::SrcIp),
            "--dst-range" => self.address_range(Field::DstIp),
            "-p" | "--protocol" | "--proto" => self.protocol(),
            "--sport" | "--source-port" | "--sports" | "--source-ports" => self.ports(Field::SrcPort),
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                self.ports(Field::DstPort)
            }
            "--tcp-flags" => self.flags(),
            "--syn" => self.flag_set(0x02, 0x17),
            "--icmp-type" => self.icmp(ICMP),
            "--icmpv6-type" => self.icmp(ICMPV6),
            "--dscp" | "--dscp-class" => {
                let word = self.value()?;
                let code = integer(word).or_else(|| names::find(Field::Dscp, word).map(u128::from));
                self.number(Field::Dscp, code)
            }
            "--tos" => self.tos(),
            "--ttl-eq" | "--ttl" | "--hl-eq" | "--ttl-lt" | "--hl-lt" | "--ttl-gt" | "--hl-gt" => {
                self.ttl(option)
            }
            "--length" => self.range(Field::Length),
            "--mac-source" => {
                let octets: Vec<&str> = self.value()?.split(':').collect();
                let join = |n: u128, o: &&str| Some(n << 8 | u128::from(u8::from_str_radix(o, 16).ok()?));
                let bits = (octets.len() == 6).then(|| octets.iter().try_fold(0, join)).flatten();
                self.number(Field::SrcMac, bits)
            }
            "-f" | "--fragment" => {
                self.test(Field::Fragment, ValueSet::single(Value::number(2)));
                Ok(())
            }
            "--u32" => self.u32(),
            "--fragfirst" | "--fragmore" | "--fraglast" => self.piece(option),
            "-i" | "--in-interface" | "-o" | "--out-interface" => {
                lost("interfaces have names there, and indexes in the notation")
            }
            other => lost(format!("`{other}` has no meaning in the notation")),
        }
    }

    fn number(&mut self, field: Field, bits: Option<u128>) -> Result<(), Problem> {
        match bits.map(Value::number).filter(|v| field.domain().contains(*v)) {
            Some(value) => {
                self.test(field, ValueSet::single(value));
                Ok(())
            }
            None => malformed(format!("a value is none of `{field}`")),
        }
    }

    fn address(&mut self, field: Field) -> Result<(), Problem> {
        let text = self.value()?;
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (address, len) = part.split_once('/').map_or((part, None), |(a, l)| (a, Some(l)));
            let value = address.parse().map(Value::ip).ok().filter(|v| v.family == self.family);
            let width = if self.family == 4 { 32 } else { 128 };
            let len = match len {
                None => Some(width),
                Some(len) => len.parse().ok().filter(|l| *l <= width).or_else(|| mask_length(len)),
            };
            match value.zip(len) {
                Some((value, len)) => ranges.push(Range::prefix(value, len)),
                None => return malformed(format!("`{part}` is no prefix of IPv{}", self.family)),
            }
        }
        self.test(field, ValueSet::from_ranges(ranges));
        Ok(())
    }

    fn address_range(&mut self, field: Field) -> Result<(), Problem> {
        let text = self.value()?;
        let (lo, hi) = text.split_once('-').unwrap_or((text, text));
        let end = |t: &str| t.parse().map(Value::ip).ok().filter(|v| v.family == self.family);
        match end(lo).zip(end(hi)).filter(|(lo, hi)| lo <= hi) {
            Some((lo, hi)) => {
                self.test(field, Range::new(lo, hi).into());
                Ok(())
            }
            None => malformed(format!("`{text}` is no range of addresses")),
        }
    }

    fn protocol(&mut self) -> Result<(), Problem> {
        let text = self.value()?;
        let known = match text.as_str() {
            "all" => Some(0),
            "ipv6-icmp" | "icmp6" => Some(58),
            "ipencap" => Some(4),
            "mobility-header" => Some(135),
            word => integer(word).or_else(|| names::find(Field::Proto, word).map(u128::from)),
        };
        match known {
            // any protocol
            Some(0) if !self.not => Ok(()),
            Some(n) => {
                self.protocol = u8::try_from(n).ok().filter(|_| !self.not);
                self.number(Field::Proto, Some(n))
            }
            None => malformed(format!("`{text}` is no protocol")),
        }
    }

    /// `22`, `1:9`, `22,80:90`; an end that is left out is that of the domain.
    fn list(&self, text: &str, most: u128) -> Option<ValueSet> {
        let one = |part: &str| {
            let number = |t: &str, usual: u128| {
                if t.is_empty() {
                    return Some(usual);
                }
                integer(t).or_else(|| names::find(Field::DstPort, t).map(u128::from))
            };
            let (lo, hi) = match part.split_once(':') {
                Some((lo, hi)) => (number(lo, 0)?, number(hi, most)?),
                None => (number(part, 0)?, number(part, 0)?),
            };
            (lo <= hi && hi <= most && !part.is_empty()).then(|| Range::numbers(lo, hi))
        };
        text.split(',').map(one).collect::<Option<Vec<_>>>().map(ValueSet::from_ranges)
    }

    fn ports(&mut self, field: Field) -> Result<(), Problem> {
        let text = self.value()?;
        let Some(set) = self.list(text, 0xffff) else {
            return malformed(format!("`{text}` is no list of ports"));
        };
        if !self.protocol.is_some_and(|p| crate::packet::PORT_PROTOCOLS.contains(&p)) {
            return malformed("ports stand behind a protocol that has them");
        }
        self.test(field, set);
        Ok(())
    }

    fn range(&mut self, field: Field) -> Result<(), Problem> {
        let text = self.value()?;
        match self.list(text, 0xffff).filter(|s| s.ranges().len() == 1) {
            Some(set) => {
                self.test(field, set);
                Ok(())
            }
            None => malformed(format!("`{text}` is no range")),
        }
    }

    fn octets(&mut self, field: Field, accepted: impl Fn(u128) -> bool) {
        let set = (0..256).filter(|o| accepted(*o)).map(|o| Range::numbers(o, o));
        self.test(field, ValueSet::from_ranges(set));
    }

    fn flags(&mut self) -> Result<(), Problem> {
        let (mask, value) = (self.value()?, self.value()?);
        let bits = |text: &str| {
            text.split(',').try_fold(0, |n, f| match f {
                "ALL" => Some(n | 0x3f),
                "NONE" => Some(n),
                f => names::find(Field::TcpFlags, f).map(|b| n | u128::from(b)),
            })
        };
        match bits(mask).zip(bits(value)) {
            Some((mask, value)) => self.flag_set(value, mask),
            None => malformed(format!("`{mask} {value}` are no flags of TCP")),
        }
    }

    fn flag_set(&mut self, value: u128, mask: u128) -> Result<(), Problem> {
        if self.protocol != Some(TCP) {
            return malformed("flags stand behind `-p tcp`");
        }
        self.octets(Field::TcpFlags, |o| o & mask == value);
        Ok(())
    }

    fn icmp(&mut self, protocol: u8) -> Result<(), Problem> {
        let text = self.value()?;
        let usual = [
            ("echo-reply", 0, 129),
            ("echo-request", 8, 128),
            ("destination-unreachable", 3, 1),
            ("time-exceeded", 11, 3),
        ];
        let (kind, code) = text.split_once('/').map_or((text.as_str(), None), |(t, c)| (t, Some(c)));
        let named = usual
            .iter()
            .find(|(n, ..)| *n == kind)
            .map(|(_, four, six)| if self.family == 4 { *four } else { *six });
        let Some(kind) = integer(kind).or(named).filter(|n| *n <= 255) else {
            return lost(format!("`{text}` is not known as a type of ICMP; write its number"));
        };
        if self.protocol != Some(protocol) {
            return malformed("a type of ICMP stands behind its protocol");
        }
        if kind == 255 && self.family == 4 {
            // any type
            return if self.not { lost("no packet matches it") } else { Ok(()) };
        }
        let code = match code.map(integer) {
            None => None,
            Some(Some(code)) if code <= 255 && !self.not => Some(code),
            Some(_) => return lost("a code that is excluded together with its type is no conjunction"),
        };
        self.number(Field::IcmpType, Some(kind))?;
        code.map_or(Ok(()), |code| self.number(Field::IcmpCode, Some(code)))
    }

    fn tos(&mut self) -> Result<(), Problem> {
        let text = self.value()?;
        let (value, mask) = text.split_once('/').unwrap_or((text, "0xff"));
        match integer(value).zip(integer(mask)) {
            Some((value, mask)) => {
                self.octets(Field::Tos, |o| o & mask == value);
                Ok(())
            }
            None => malformed(format!("`{text}` is no value and mask")),
        }
    }

    fn ttl(&mut self, option: &str) -> Result<(), Problem> {
        let text = self.value()?;
        let Some(n) = integer(text).filter(|n| *n <= 255) else {
            return malformed(format!("`{text}` is no octet"));
        };
        let kind = option.rsplit('-').next();
        self.octets(Field::Ttl, |o| match kind {
            Some("lt") => o < n,
            Some("gt") => o > n,
            _ => o == n,
        });
        Ok(())
    }

    fn piece(&mut self, option: &str) -> Result<(), Problem> {
        let mut p = self.pieces.unwrap_or(Pieces { none: false, whole: true, first: true, later: true });
        match option {
            "--fragfirst" => p.later = false,
            "--fragmore" => p.whole = false,
            _ => p.first = false,
        }
        // a later fragment can be the last or not, which the notation does not tell
        self.pieces = Some(p);
        Ok(())
    }

    /// The comparisons that the back end writes.
    fn u32(&mut self) -> Result<(), Problem> {
        let text = self.value()?.replace(' ', "");
        let unknown = || Problem::Lost("these octets are no field of the notation".into());
        if self.not {
            return Err(unknown());
        }
        let behind = "4&0x1FFF=0&&0>>22&0x3C@";
        let written = canonical(&text);
        let (place, list) = written.rsplit_once('=').ok_or_else(unknown)?;
        let set = self.list(list, 0xffff_ffff).ok_or_else(unknown)?;
        let behind = place.strip_prefix(&canonical(behind)).map(str::to_owned);
        let place = behind.as_deref().map_or(place.to_owned(), |p| format!("@{p}"));
        let (field, six) = match place.as_str() {
            "0x0&0xfffff" => (Field::FlowLabel, true),
            "0x6&0xff" => (Field::Proto, false),
            "0x4&0x3fff" => return self.fragment(&set),
            "@0xc>>0x10&0xff" if self.protocol == Some(TCP) => (Field::TcpFlags, false),
            "@0x0>>0x18" if self.protocol == Some(ICMP) => (Field::IcmpType, false),
            "@0x0>>0x10&0xff" if self.protocol == Some(ICMP) => (Field::IcmpCode, false),
            _ => return Err(unknown()),
        };
        if six != (self.family == 6) {
            return Err(unknown());
        }
        self.tests.test(field, set);
        Ok(())
    }

    fn fragment(&mut self, set: &ValueSet) -> Result<(), Problem> {
        let has = |n| set.contains(Value::number(n));
        let later = ValueSet::from_ranges([Range::numbers(1, 0x1fff), Range::numbers(0x2001, 0x3fff)]);
        let is_later = later.is_subset(set);
        if self.family == 6 || !is_later && later.intersects(set) {
            return lost("these octets are no field of the notation");
        }
        let accepted = [(has(0), 0), (has(0x2000), 1), (is_later, 2)];
        let values = accepted.into_iter().filter(|(yes, _)| *yes).map(|(_, n)| Range::numbers(n, n));
        self.tests.test(Field::Fragment, ValueSet::from_ranges(values));
        Ok(())
    }
}

/// All numbers in the same writing: iptables-save changes it.
fn canonical(text: &str) -> String {
    let mut out = String::new();
    let mut number = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() {
            number.push(c);
            continue;
        }
        if let Some(n) = integer(&number.to_lowercase()) {
            out.push_str(&format!("{n:#x}"));
        } else {
            out.push_str(&number);
        }
        number.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// The length of a mask such as 255.255.0.0.
fn mask_length(text: &str) -> Option<u32> {
    let bits = u32::from(text.parse::<std::net::Ipv4Addr>().ok()?);
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == 0 || bits == u32::MAX)
        .then(|| bits.leading_ones())
}
