//! How packets are spread over time and over flows: arrivals, phases, births, popularity, order.

use super::context::Context;
use super::load::{ARRIVALS, ORDERS, POPULARITIES};
use super::models::Of;
use super::quantity::BIRTHS;
use crate::ast::{Expr, ExprKind, Item, Name, Number};
use crate::codes;
use crate::mix::{Arrival, Births, Order, Phases, Popularity};
use crate::models::{Draws, Model, Quantity, names};
use crate::units::Nanos;

/// Recorded gaps.
pub(super) const GAPS: &str = "gaps";
/// Phases of a load.
pub(super) const PHASES: &str = "phases";
/// What stands in `phases(…)` beside the levels.
pub(super) const PHASE_SETTINGS: [&str; 3] = ["every", "redraw", "ramp"];
/// The highest level of a phase: ten times the full rate.
const MAX_LEVEL: f64 = 10.0;

impl Context<'_> {
    /// A model of these by its name alone, where its parameters all have defaults, or with brackets.
    fn named_model(&mut self, e: &Expr, of: Of, draws: Draws, wanted: &str, words: &[&str]) -> Option<Model> {
        let followed = self.follow(e);
        match &followed.kind {
            ExprKind::Word(w) if names(draws).contains(&w.as_str()) => {
                let name = Name { text: w.clone(), span: followed.span };
                self.model(&name, &[], of, words)
            }
            ExprKind::Call(name, items) => self.model(name, items, of, words),
            _ => {
                let known: Vec<&str> = words.iter().copied().chain(names(draws)).collect();
                self.wrong_kind(e, wanted, &known);
                None
            }
        }
    }

    pub(super) fn arrival(&mut self, e: &Expr) -> Option<Arrival> {
        match &self.follow(e).kind {
            ExprKind::Word(w) if w == "constant" => return Some(Arrival::Constant),
            ExprKind::Word(w) if w == "poisson" => return Some(Arrival::Poisson),
            ExprKind::Call(name, items) if name.text == GAPS => return self.gaps(items, e),
            ExprKind::Call(name, items) if name.text == "capture" => {
                return self.capture(e, items).map(Arrival::Capture);
            }
            _ => {}
        }
        let words: Vec<&str> = ARRIVALS.into_iter().chain([GAPS, "capture"]).collect();
        self.named_model(e, Of::Gaps, Draws::Gaps, "a model of arrivals", &words).map(Arrival::Model)
    }

    /// `gaps(10 us, 20 us, 5 ms)`: recorded times between packets.
    fn gaps(&mut self, items: &[Item], e: &Expr) -> Option<Arrival> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Bare(gap) if matches!(&self.follow(gap).kind, ExprKind::Number(n) if n.value == 0.0) => {
                    out.push(Nanos(0));
                }
                Item::Bare(gap) => out.push(self.time(gap, "a time between packets")?),
                Item::Setting(s) => {
                    self.unknown_setting(&s.name, GAPS, &[]);
                    return None;
                }
            }
        }
        if out.iter().all(|g| g.0 == 0) {
            self.add(
                &codes::PARAMETER,
                e.span,
                "`gaps` needs the times between packets",
                "without a time there is no rate",
                "write for example `gaps(10 us, 10 us, 1 ms)`",
            );
            return None;
        }
        Some(Arrival::Gaps(out))
    }

    pub(super) fn popularity(&mut self, e: &Expr) -> Option<Popularity> {
        if matches!(&self.follow(e).kind, ExprKind::Word(w) if w == POPULARITIES[0]) {
            return Some(Popularity::Uniform);
        }
        let model = self.named_model(e, Of::Ranks, Draws::Ranks, "how popular flows are", &POPULARITIES)?;
        match model.parameter("s") {
            Some(Quantity::Number(s)) => Some(Popularity::Zipf(s)),
            _ => None,
        }
    }

    pub(super) fn order(&mut self, e: &Expr) -> Option<Order> {
        match &self.follow(e).kind {
            ExprKind::Word(w) if w == ORDERS[0] => return Some(Order::Round),
            ExprKind::Word(w) if w == ORDERS[1] => return Some(Order::Random),
            _ => {}
        }
        let model = self.named_model(e, Of::Turns, Draws::Turns, "an order of flows", &ORDERS)?;
        match model.parameter("length") {
            Some(Quantity::Packets(n)) => Some(Order::Runs(n as u32)),
            _ => None,
        }
    }

    /// When flows begin, and how many per second where that is said: `constant`, `poisson`, `5 kflows/s`,
    /// `poisson(rate = 5 kflows/s)`.
    pub(super) fn births(&mut self, e: &Expr) -> Option<(Births, Option<f64>)> {
        const KINDS: [Births; 2] = [Births::Constant, Births::Poisson];
        let kind = |w: &str| ARRIVALS.iter().position(|a| *a == w).map(|i| KINDS[i]);
        match &self.follow(e).kind {
            ExprKind::Number(_) => Some((Births::Constant, Some(self.birth_rate(e)?))),
            ExprKind::Word(w) if kind(w).is_some() => Some((kind(w)?, None)),
            ExprKind::Call(name, items) if kind(&name.text).is_some() => {
                let mut rate = None;
                for item in items {
                    let Some(s) = self.setting(item, &name.text) else { continue };
                    if s.name.text == "rate" {
                        let value = self.birth_rate(&s.value);
                        self.give(&mut rate, "rate", value, s.span);
                    } else {
                        self.unknown_setting(&s.name, &name.text, &["rate"]);
                    }
                }
                Some((kind(&name.text)?, Some(rate?.0)))
            }
            _ => {
                self.wrong_kind(e, "when flows begin", &ARRIVALS);
                None
            }
        }
    }

    fn birth_rate(&mut self, e: &Expr) -> Option<f64> {
        const WHAT: &str = "the births of flows";
        match &self.follow(e).kind {
            ExprKind::Number(n) => {
                self.no_layer(n, WHAT);
                let rate = self.with_unit(n, e.span, WHAT, BIRTHS)?;
                if rate > 0.0 {
                    return Some(rate);
                }
                self.add(
                    &codes::OUT_OF_RANGE,
                    e.span,
                    "no flow begins at this rate",
                    "all flows that end are followed by others",
                    "leave it out where flows do not end",
                );
                None
            }
            _ => {
                self.wrong_kind(e, "births such as `5 kflows/s`", &[]);
                None
            }
        }
    }

    /// `phases(10%, 50%..60%, 100%, every = 20 s)`.
    pub(super) fn phases(&mut self, e: &Expr) -> Option<Phases> {
        let items = match &self.follow(e).kind {
            ExprKind::Call(name, items) if name.text == PHASES => items,
            _ => {
                self.wrong_kind(e, "`phases(20%, 50%, 100%, every = 20 s)`", &[PHASES]);
                return None;
            }
        };
        let before = self.report.errors;
        let mut levels = Vec::new();
        let (mut every, mut redraw, mut ramp) = (None, None, None);
        for item in items {
            match item {
                Item::Bare(level) => levels.extend(self.level(level)),
                Item::Setting(s) => {
                    let place = match s.name.text.as_str() {
                        "every" => &mut every,
                        "redraw" => &mut redraw,
                        "ramp" => &mut ramp,
                        _ => {
                            self.unknown_setting(&s.name, PHASES, &PHASE_SETTINGS);
                            continue;
                        }
                    };
                    let time = self.time(&s.value, "the time of a phase");
                    self.give(place, &s.name.text, time, s.span);
                }
            }
        }
        if self.report.errors > before {
            return None;
        }
        let time = |t: Option<(Nanos, _)>| t.map(|(t, _)| t);
        let (Some(every), true) = (time(every), levels.iter().any(|(_, hi)| *hi > 0.0)) else {
            self.add(
                &codes::PARAMETER,
                e.span,
                "`phases` needs levels, and how long each lasts",
                "a level is a share of the full rate, and not all can be 0",
                "write for example `phases(20%, 50%, 100%, every = 20 s)`",
            );
            return None;
        };
        if let Some((long, span)) = ramp.or(redraw).filter(|(t, _)| *t > every) {
            self.add(
                &codes::OUT_OF_RANGE,
                span,
                format!("{long} do not fit into a phase of {every}"),
                "it happens within the phase",
                "write a shorter time, or longer phases",
            );
            return None;
        }
        Some(Phases { levels, every, redraw: time(redraw), ramp: time(ramp) })
    }

    /// A level, or the range that it is drawn from; a unit at the end holds for both ends.
    fn level(&mut self, e: &Expr) -> Option<(f64, f64)> {
        const WHAT: &str = "the level of a phase";
        let ExprKind::Range(a, b) = &self.follow(e).kind else {
            return self.share(e, WHAT, MAX_LEVEL).map(|l| (l, l));
        };
        let lo = match (&self.follow(a).kind, &self.follow(b).kind) {
            (ExprKind::Number(lo), ExprKind::Number(hi)) if lo.unit.is_none() => {
                let kind = ExprKind::Number(Number { unit: hi.unit.clone(), ..lo.clone() });
                self.share(&Expr { kind, span: a.span }, WHAT, MAX_LEVEL)
            }
            _ => self.share(a, WHAT, MAX_LEVEL),
        }?;
        let hi = self.share(b, WHAT, MAX_LEVEL)?;
        if lo > hi {
            self.upside_down(e.span, &a.to_string(), &b.to_string());
            return None;
        }
        Some((lo, hi))
    }
}
