//! Numbers with units: counts, shares, times, rates, sizes; and words and texts of settings.

use super::context::Context;
use super::models::Of;
use crate::ast::{Expr, ExprKind, Item, Number};
use crate::codes;
use crate::diagnostic::Span;
use crate::experiment::RateSpec;
use crate::mix::Size;
use crate::models::{Draws, names};
use crate::parse::unescape;
use crate::report::did_you_mean;
use crate::suggest;
use crate::units::{Layer, Nanos, Rate};
use std::path::Path;

/// Units of time in nanoseconds; in these tables the first is the one for examples.
pub(super) const TIMES: &[(&str, f64)] = &[("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0), ("min", 60e9)];
/// Units of packet rates, per second.
pub(super) const PACKETS: &[(&str, f64)] = &[("kpps", 1e3), ("pps", 1.0), ("Mpps", 1e6)];
/// Units of numbers of packets.
pub(super) const COUNTS: &[(&str, f64)] = &[("packets", 1.0), ("packet", 1.0)];
/// Units of bit rates, per second.
pub(super) const BITS: &[(&str, f64)] = &[("bit/s", 1.0), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9)];
/// Units of births of flows, per second.
pub(super) const BIRTHS: &[(&str, f64)] = &[("flows/s", 1.0), ("kflows/s", 1e3)];
/// Units of packet sizes.
pub(super) const BYTES: &[(&str, f64)] = &[("B", 1.0)];
/// Units of memory.
pub(super) const MEMORY: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];
/// What describes sizes beside numbers and models.
pub(super) const SIZES: [&str; 3] = ["imix", "empirical", "capture"];
/// The largest IP packet with the longest link header that the generator makes.
const MAX_SIZE: u128 = 65_535 + 64;

impl Context<'_> {
    /// A whole number without unit within limits.
    pub(crate) fn whole(&mut self, e: &Expr, what: &str, lo: u128, hi: u128) -> Option<u128> {
        match &self.follow(e).kind {
            ExprKind::Number(Number { whole: Some(n), unit: None, .. }) => {
                if (lo..=hi).contains(n) {
                    return Some(*n);
                }
                self.out_of_range(e.span, &n.to_string(), what, lo, hi);
            }
            ExprKind::Number(Number { unit: Some(u), .. }) => {
                let (name, span) = (u.name.text.clone(), u.name.span);
                self.unknown_unit(&name, span, what, &[]);
            }
            _ => self.wrong_kind(e, "a whole number", &[]),
        }
        None
    }

    /// A share from 0 to `hi`, written in percent; 0 needs no unit.
    pub(crate) fn share(&mut self, e: &Expr, what: &str, hi: f64) -> Option<f64> {
        let n = match &self.follow(e).kind {
            ExprKind::Number(n) => n,
            _ => {
                self.wrong_kind(e, "a share in percent", &[]);
                return None;
            }
        };
        if n.unit.is_none() && n.value == 0.0 {
            return Some(0.0);
        }
        let share = self.with_unit(n, e.span, what, &[("%", 0.01)])?;
        if share > hi {
            self.add(
                &codes::OUT_OF_RANGE,
                e.span,
                format!("{}% is not possible for {what}", n.text),
                format!("a share goes from 0% to {}%", hi * 100.0),
                "write a smaller share",
            );
            return None;
        }
        Some(share)
    }

    /// The number in the first of `units`, which it must carry one of.
    pub(super) fn with_unit(
        &mut self,
        n: &Number,
        span: Span,
        what: &str,
        units: &[(&str, f64)],
    ) -> Option<f64> {
        let Some(unit) = n.unit.as_ref().filter(|u| !u.name.text.is_empty()) else {
            let names: Vec<&str> = units.iter().map(|(u, _)| *u).collect();
            self.add(
                &codes::NO_UNIT,
                span,
                format!("{} has no unit", n.text),
                format!("{what} is given in {}", names.join(", ")),
                format!(
                    "write for example `{}{}{}`",
                    n.text,
                    if names[0] == "%" { "" } else { " " },
                    names[0]
                ),
            );
            return None;
        };
        let Some((_, scale)) = units.iter().find(|(u, _)| *u == unit.name.text) else {
            self.unknown_unit(&unit.name.text, unit.name.span, what, units);
            return None;
        };
        Some(n.value * scale)
    }

    pub(super) fn unknown_unit(&mut self, name: &str, span: Span, what: &str, units: &[(&str, f64)]) {
        let names: Vec<&str> = units.iter().map(|(u, _)| *u).collect();
        let (reason, otherwise) = match names.as_slice() {
            [] => (format!("{what} is a bare number"), "take the unit out".to_owned()),
            _ => (format!("{what} is given in {}", names.join(", ")), "use one of these units".to_owned()),
        };
        let near = usual_unit(name)
            .filter(|u| names.contains(u))
            .or_else(|| suggest::nearest(name, names.iter().copied()));
        let cure = did_you_mean(near, otherwise);
        self.add(&codes::UNIT, span, format!("`{name}` is not a unit of {what}"), reason, cure);
    }

    /// Reports what a number says it counts where nothing is counted.
    pub(super) fn no_layer(&mut self, n: &Number, what: &str) {
        if let Some(layer) = n.unit.as_ref().and_then(|u| u.layer.as_ref()) {
            self.add(
                &codes::UNIT,
                layer.span,
                format!("`({})` does not fit {what}", layer.text),
                "only rates in bits and packet sizes are counted at a layer",
                "take it out",
            );
        }
    }

    /// A time of at least one nanosecond.
    pub(crate) fn time(&mut self, e: &Expr, what: &str) -> Option<Nanos> {
        let nanos = self.scaled(e, what, "a time such as `5 s`", TIMES)?.round();
        if nanos < 1.0 || nanos > u64::MAX as f64 {
            self.add(
                &codes::OUT_OF_RANGE,
                e.span,
                format!("{e} is not possible for {what}"),
                if nanos < 1.0 { "nothing happens in no time" } else { "it is longer than 500 years" },
                "write a time such as `5 s`",
            );
            return None;
        }
        Some(Nanos(nanos as u64))
    }

    /// A number of bytes with a unit of memory.
    pub(crate) fn memory(&mut self, e: &Expr, what: &str) -> Option<f64> {
        self.scaled(e, what, "an amount of memory such as `64 MB`", MEMORY)
    }

    /// A time in nanoseconds; 0 needs no unit.
    pub(crate) fn nanos(&mut self, e: &Expr, what: &str) -> Option<f64> {
        self.scaled(e, what, "a time such as `500 ns`", TIMES)
    }

    fn scaled(&mut self, e: &Expr, what: &str, wanted: &str, units: &[(&str, f64)]) -> Option<f64> {
        match &self.follow(e).kind {
            ExprKind::Number(n) => {
                self.no_layer(n, what);
                self.with_unit(n, e.span, what, units)
            }
            _ => {
                self.wrong_kind(e, wanted, &[]);
                None
            }
        }
    }

    /// A rate, `max`, or a search for the highest.
    pub(crate) fn rate(&mut self, e: &Expr) -> Option<RateSpec> {
        match &self.follow(e).kind {
            ExprKind::Word(w) if w.eq_ignore_ascii_case("max") => Some(RateSpec::Max),
            ExprKind::Call(name, items) if name.text == "search" => self.search(name, items),
            ExprKind::Call(name, _) => {
                self.unknown_word(&name.text.clone(), name.span, "a rate, `max` or `search(…)`", &["search"]);
                None
            }
            ExprKind::Number(n) => self.fixed_rate(n, e.span).map(RateSpec::Fixed),
            _ => {
                self.wrong_kind(e, "a rate such as `20 kpps`, `max` or `search(…)`", &["max"]);
                None
            }
        }
    }

    fn fixed_rate(&mut self, n: &Number, span: Span) -> Option<Rate> {
        let in_bits = n.unit.as_ref().is_some_and(|u| BITS.iter().any(|(b, _)| *b == u.name.text));
        let value = if in_bits {
            self.with_unit(n, span, "a rate", BITS)?
        } else {
            let both: Vec<_> = PACKETS.iter().chain(BITS).copied().collect();
            let value = self.with_unit(n, span, "a rate", &both)?;
            self.no_layer(n, "a rate in packets");
            value
        };
        if value <= 0.0 {
            self.add(
                &codes::OUT_OF_RANGE,
                span,
                "a rate of 0 sends nothing",
                "there would be nothing to measure",
                "write a rate such as `20 kpps`",
            );
            return None;
        }
        if !in_bits {
            return Some(Rate::Pps(value));
        }
        let Some(layer) = n.unit.as_ref().and_then(|u| u.layer.as_ref()) else {
            let unit = n.unit.as_ref().map_or("", |u| u.name.text.as_str());
            self.add(
                &codes::NO_LAYER,
                span,
                "what these bits count is not said",
                "IP packets, Ethernet frames and ATM cells give different numbers",
                format!("write for example `{} {unit}(ip)`", n.text),
            );
            return None;
        };
        Some(Rate::Bits { bits: value, layer: self.layer(&layer.text, layer.span, &Layer::ALL)? })
    }

    fn layer(&mut self, name: &str, span: Span, allowed: &[Layer]) -> Option<Layer> {
        let found = Layer::from_name(name).filter(|l| allowed.contains(l));
        if found.is_none() {
            let names: Vec<&str> = allowed.iter().map(|l| l.name()).collect();
            let near = suggest::nearest(name, names.iter().copied());
            self.add(
                &codes::UNIT,
                span,
                format!("`{name}` cannot be counted here"),
                format!("what can be is {}", names.join(", ")),
                did_you_mean(near, "use one of these"),
            );
        }
        found
    }

    /// Packet sizes.
    pub(crate) fn size(&mut self, e: &Expr) -> Option<Size> {
        match &self.follow(e).kind {
            ExprKind::Word(w) if w.eq_ignore_ascii_case("imix") => Some(Size::Imix),
            ExprKind::Number(n) => {
                let (bytes, layer) = self.bytes(n, e.span)?;
                Some(Size::Fixed { bytes, layer })
            }
            ExprKind::Range(a, b) => self.size_range(a, b, e.span),
            ExprKind::Call(name, items) if name.text == "capture" => {
                self.capture(e, items).map(Size::Capture)
            }
            ExprKind::Call(name, items) if name.text == "imix" => self.imix(items, e),
            ExprKind::Call(name, items) if name.text == "empirical" => self.empirical(items, name.span),
            ExprKind::Call(name, items) => self.model(name, items, Of::Sizes, &SIZES).map(Size::Distribution),
            _ => {
                let words: Vec<&str> = SIZES.into_iter().chain(names(Draws::Quantities)).collect();
                self.wrong_kind(e, "a size such as `200 B(payload)`, a range, `imix` or a model", &words);
                None
            }
        }
    }

    /// `64..1500 B`: a unit at the end holds for both.
    fn size_range(&mut self, a: &Expr, b: &Expr, span: Span) -> Option<Size> {
        let (ExprKind::Number(lo), ExprKind::Number(hi)) = (&self.follow(a).kind, &self.follow(b).kind)
        else {
            self.wrong_kind(a, "sizes such as `64..1500 B`", &[]);
            return None;
        };
        let lo = Number { unit: lo.unit.clone().or_else(|| hi.unit.clone()), ..lo.clone() };
        let (hi, hi_layer) = self.bytes(hi, span)?;
        let (lo, lo_layer) = self.bytes(&lo, span)?;
        if lo_layer != hi_layer {
            self.add(
                &codes::UNIT,
                span,
                "the ends of this range count different things",
                format!("one counts {}, the other {}", lo_layer.name(), hi_layer.name()),
                "write the same behind both, or behind the second only",
            );
            return None;
        }
        if lo > hi {
            self.upside_down(span, &lo.to_string(), &hi.to_string());
            return None;
        }
        Some(Size::Range { lo, hi, layer: hi_layer })
    }

    pub(super) fn bytes(&mut self, n: &Number, span: Span) -> Option<(u32, Layer)> {
        self.with_unit(n, span, "a size", BYTES)?;
        let layer = match n.unit.as_ref().and_then(|u| u.layer.as_ref()) {
            Some(name) => {
                let counted = [Layer::Payload, Layer::Ip, Layer::Frame, Layer::Ethernet, Layer::Wire];
                self.layer(&name.text, name.span, &counted)?
            }
            None => Layer::Frame,
        };
        let least = u128::from(layer != Layer::Payload);
        match n.whole {
            Some(bytes) if (least..=MAX_SIZE).contains(&bytes) => Some((bytes as u32, layer)),
            _ => {
                self.out_of_range(span, &n.text, "a size in bytes", least, MAX_SIZE);
                None
            }
        }
    }

    /// The path in `capture("file.pcap")`.
    pub(super) fn capture(&mut self, e: &Expr, items: &[Item]) -> Option<String> {
        match items {
            [Item::Bare(path)] => self.path(path, "the path of a capture"),
            _ => {
                self.wrong_kind(e, "`capture(\"file.pcap\")`", &[]);
                None
            }
        }
    }

    /// The path of a file: in the text relative to the file that it stands in, as paths of included files are.
    pub(crate) fn path(&mut self, e: &Expr, what: &str) -> Option<String> {
        let path = self.text(e, what)?;
        let including = self.sources.map_or("", |s| s.name(self.follow(e).span.file));
        let beside = Path::new(including).parent().unwrap_or(Path::new("")).join(&path);
        Some(beside.to_str().map_or(path, str::to_owned))
    }

    /// A text in quotes.
    pub(crate) fn text(&mut self, e: &Expr, what: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.text_bytes(e, what)?).into_owned())
    }

    /// The bytes of a text in quotes.
    pub(crate) fn text_bytes(&mut self, e: &Expr, what: &str) -> Option<Vec<u8>> {
        match &self.follow(e).kind {
            ExprKind::Text(inner) => unescape(inner).ok(),
            _ => {
                self.wrong_kind(e, &format!("{what} in quotes"), &[]);
                None
            }
        }
    }

    /// One of several words, by its place in the list.
    pub(crate) fn choice(&mut self, e: &Expr, what: &str, words: &[&str]) -> Option<usize> {
        if let ExprKind::Word(w) = &self.follow(e).kind
            && let Some(i) = words.iter().position(|c| c.eq_ignore_ascii_case(w))
        {
            return Some(i);
        }
        self.wrong_kind(e, what, words);
        None
    }
}

/// The unit of this notation that is meant by one that is usual elsewhere.
fn usual_unit(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "bps" | "b/s" => "bit/s",
        "kbps" | "kb/s" | "kbit" => "kbit/s",
        "mbps" | "mb/s" | "mbit" => "Mbit/s",
        "gbps" | "gb/s" | "gbit" => "Gbit/s",
        "packets/s" | "p/s" | "pkts/s" => "pps",
        "sec" | "secs" | "second" | "seconds" => "s",
        "msec" | "millis" => "ms",
        "usec" | "micros" => "us",
        "nsec" => "ns",
        "minute" | "minutes" | "m" => "min",
        "byte" | "bytes" | "octets" => "B",
        "percent" => "%",
        _ => return None,
    })
}
