//! `rate = search(…)` and `repeat = until(…)`.

use super::context::Context;
use crate::ast::{Expr, ExprKind, Item, Name};
use crate::codes;
use crate::diagnostic::Span;
use crate::experiment::RateSpec;
use crate::search::{MOST_GOALS, Method, Search};
use crate::units::{Nanos, Rate};

/// What a search is told.
pub(super) const SEARCH: [&str; 9] =
    ["method", "loss", "exceed", "width", "first", "sum", "min", "max", "limit"];
/// What a repetition is told beside how exact it must be.
pub(super) const UNTIL: [&str; 1] = ["most"];
/// Repeats at most, where nothing is said.
const MOST_REPEATS: u32 = 50;

/// The settings of a search while they are being read.
#[derive(Default)]
struct Draft {
    method: Option<(Method, Span)>,
    loss: Option<(Vec<f64>, Span)>,
    shares: [Option<(f64, Span)>; 2],
    times: [Option<(Nanos, Span)>; 3],
    rates: [Option<(Rate, Span)>; 2],
}

/// How often a point is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Repeat {
    /// At most.
    pub(super) most: u32,
    /// Until the median is known so well.
    pub(super) within: Option<f64>,
}

impl Context<'_> {
    /// `search(…)`.
    pub(super) fn search(&mut self, name: &Name, items: &[Item]) -> Option<RateSpec> {
        if items.is_empty() {
            self.add(
                &codes::NO_ITEM,
                name.span,
                "`search` does not say what it searches for",
                "it needs the loss that is tolerated",
                "write `search(loss = 0)`",
            );
            return None;
        }
        let before = self.report.errors;
        let mut draft = Draft::default();
        for item in items {
            let Some(s) = self.setting(item, "search") else { continue };
            self.search_setting(&mut draft, s.name.text.as_str(), &s.name, &s.value, s.span);
        }
        let value = |x: Option<(f64, Span)>| x.map(|(v, _)| v);
        let time = |x: Option<(Nanos, Span)>| x.map(|(v, _)| v);
        let rate = |x: Option<(Rate, Span)>| x.map(|(v, _)| v);
        let search = Search {
            method: draft.method.map_or(Method::default(), |(m, _)| m),
            loss: draft.loss.as_ref().map_or_else(|| vec![0.0], |(l, _)| l.clone()).into(),
            exceed: value(draft.shares[0]),
            width: value(draft.shares[1]),
            first: time(draft.times[0]),
            sum: time(draft.times[1]),
            limit: time(draft.times[2]),
            min: rate(draft.rates[0]),
            max: rate(draft.rates[1]),
        };
        self.check_search(&search, &draft);
        // one mistake is one finding: what is left without it is no other search
        (self.report.errors == before).then_some(RateSpec::Search(search))
    }

    fn search_setting(&mut self, draft: &mut Draft, what: &str, name: &Name, e: &Expr, at: Span) {
        match what {
            "method" => {
                let method = self.method(e);
                self.give(&mut draft.method, "method", method, at);
            }
            "loss" => {
                let losses = self.losses(e);
                self.give(&mut draft.loss, "loss", losses, at);
            }
            "exceed" => {
                let share = self.share(e, "the time that may exceed the loss", 0.99);
                self.give(&mut draft.shares[0], what, share, at);
            }
            "width" => {
                let share = self.share(e, "the width of a result", 0.5).filter(|w| self.above_zero(e, *w));
                self.give(&mut draft.shares[1], what, share, at);
            }
            "first" | "sum" | "limit" => {
                let time = self.time(e, "a time of a search");
                let i = ["first", "sum", "limit"].iter().position(|n| *n == what).unwrap_or_default();
                self.give(&mut draft.times[i], what, time, at);
            }
            "min" | "max" => {
                let rate = self.bound(e);
                self.give(&mut draft.rates[usize::from(what == "max")], what, rate, at);
            }
            _ => self.unknown_setting(name, "search", &SEARCH),
        }
    }

    /// Reports what does not go together.
    fn check_search(&mut self, search: &Search, draft: &Draft) {
        if let (true, Some((losses, at))) = (search.method.is_lossless(), &draft.loss)
            && losses.iter().any(|l| *l > 0.0)
        {
            self.add(
                &codes::OUT_OF_RANGE,
                *at,
                format!("`{}` tolerates no loss", search.method.name()),
                "the document that it follows defines its result as one without loss",
                "write `loss = 0`, or `method = mlr`",
            );
        }
        if let [Some((Rate::Pps(min), _)), Some((Rate::Pps(max), at))] = draft.rates
            && min >= max
        {
            let (min, max) = (Rate::Pps(min), Rate::Pps(max));
            self.add(
                &codes::OUT_OF_RANGE,
                at,
                format!("{max} is no highest rate"),
                format!("the lowest one is {min}"),
                "give a `max` that is above `min`",
            );
        }
    }

    fn method(&mut self, e: &Expr) -> Option<Method> {
        let names = Method::ALL.map(|(name, _)| name);
        self.choice(e, "a way to search such as `mlr`", &names).map(|i| Method::ALL[i].1)
    }

    /// One share, or a set of them.
    fn losses(&mut self, e: &Expr) -> Option<Vec<f64>> {
        let followed = self.follow(e);
        let members: Vec<&Expr> = match &followed.kind {
            ExprKind::Set(members) => members.iter().collect(),
            _ => vec![e],
        };
        let n = members.len();
        let shares: Option<Vec<f64>> =
            members.into_iter().map(|m| self.share(m, "the loss that is tolerated", 1.0)).collect();
        if n == 0 || n > MOST_GOALS {
            self.out_of_range(e.span, &n.to_string(), "the number of goals", 1, MOST_GOALS as u128);
            return None;
        }
        shares
    }

    fn above_zero(&mut self, e: &Expr, share: f64) -> bool {
        if share <= 0.0 {
            self.add(
                &codes::OUT_OF_RANGE,
                e.span,
                "bounds never come as near as nothing",
                "between any two rates is another one",
                "write a share such as `1%`",
            );
        }
        share > 0.0
    }

    /// A rate that is one.
    fn bound(&mut self, e: &Expr) -> Option<Rate> {
        match self.rate(e)? {
            RateSpec::Fixed(rate @ Rate::Pps(_)) => Some(rate),
            _ => {
                self.wrong_kind(e, "a rate in packets such as `20 kpps`", &[]);
                None
            }
        }
    }

    /// `repeat = 7`, or `repeat = until(±2%, most = 30)`.
    pub(super) fn repeat(&mut self, e: &Expr) -> Option<Repeat> {
        let ExprKind::Call(name, items) = &self.follow(e).kind else {
            let n = self.whole(e, "the number of repeats", 1, 1_000_000)?;
            return Some(Repeat { most: n as u32, within: None });
        };
        if name.text != "until" {
            self.unknown_word(&name.text.clone(), name.span, "a number or `until(…)`", &["until"]);
            return None;
        }
        let (mut within, mut most) = (None, None);
        for item in items {
            match item {
                Item::Bare(Expr { kind: ExprKind::Within(e), span }) => {
                    let share = self.share(e, "how well a median is known", 1.0);
                    let share = share.filter(|s| self.above_zero(e, *s));
                    self.give(&mut within, "±", share, *span);
                }
                Item::Setting(s) if s.name.text == "most" => {
                    let n = self.whole(&s.value, "the most repeats", 2, 1_000_000).map(|n| n as u32);
                    self.give(&mut most, "most", n, s.span);
                }
                Item::Setting(s) => self.unknown_setting(&s.name, "until", &UNTIL),
                Item::Bare(e) => self.wrong_kind(e, "how well the median must be known, such as `±2%`", &[]),
            }
        }
        if within.is_none() && items.is_empty() {
            self.add(
                &codes::NO_ITEM,
                name.span,
                "`until` does not say until when",
                "it needs how well the median must be known",
                "write `until(±2%)`",
            );
        }
        let within = within.map(|(share, _)| share)?;
        Some(Repeat { most: most.map_or(MOST_REPEATS, |(n, _)| n), within: Some(within) })
    }
}
