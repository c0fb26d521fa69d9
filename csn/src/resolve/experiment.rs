//! `scenario`, `meter`, `run` and `expect`.

use super::context::Context;
use super::search::Repeat;
use crate::ast::{Expr, ExprKind, Item, Name, Sign, Statement};
use crate::codes;
use crate::diagnostic::Span;
use crate::experiment::{Expectation, Experiment, MeterSpec, Metric, RateSpec, Relation};
use crate::report::did_you_mean;
use crate::suggest;
use crate::units::Nanos;

/// What a `scenario` says.
pub(super) const SCENARIO: [&str; 3] = ["title", "reproduces", "tags"];
/// What a `run` says.
pub(super) const RUN: [&str; 4] = ["rate", "time", "repeat", "seed"];

/// An experiment while its statements are being read. Several statements of a kind add up.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) experiment: Experiment,
    title: Option<(String, Span)>,
    reproduces: Option<(String, Span)>,
    tags: Option<(Vec<String>, Span)>,
    rate: Option<(RateSpec, Span)>,
    time: Option<(Nanos, Span)>,
    repeat: Option<(Repeat, Span)>,
    seed: Option<(u64, Span)>,
    run: Option<Span>,
}

impl Draft {
    /// Takes in a `scenario` statement.
    pub(crate) fn scenario(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        for item in &statement.items {
            let Some(s) = cx.setting(item, "scenario") else { continue };
            let (e, at) = (&s.value, s.span);
            match s.name.text.as_str() {
                "title" => {
                    let text = cx.text(e, "a title");
                    cx.give(&mut self.title, "title", text, at);
                }
                "reproduces" => {
                    let text = cx.text(e, "what the scenario reproduces");
                    cx.give(&mut self.reproduces, "reproduces", text, at);
                }
                "tags" => {
                    let tags = cx.tags(e);
                    cx.give(&mut self.tags, "tags", tags, at);
                }
                _ => cx.unknown_setting(&s.name, "scenario", &SCENARIO),
            }
        }
    }

    /// Takes in a `run` statement.
    pub(crate) fn run(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        self.run.get_or_insert(statement.span);
        for item in &statement.items {
            let Some(s) = cx.setting(item, "run") else { continue };
            let (e, at) = (&s.value, s.span);
            match s.name.text.as_str() {
                "rate" => {
                    let rate = cx.rate(e);
                    cx.give(&mut self.rate, "rate", rate, at);
                }
                "time" => {
                    let time = cx.time(e, "the time of a run");
                    cx.give(&mut self.time, "time", time, at);
                }
                "repeat" => {
                    let repeat = cx.repeat(e);
                    cx.give(&mut self.repeat, "repeat", repeat, at);
                }
                "seed" => {
                    let seed = cx.whole(e, "a seed", 0, u128::from(u64::MAX));
                    cx.give(&mut self.seed, "seed", seed.map(|n| n as u64), at);
                }
                _ => cx.unknown_setting(&s.name, "run", &RUN),
            }
        }
    }

    /// Takes in a `meter` statement.
    pub(crate) fn meter(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        for item in &statement.items {
            match item {
                Item::Bare(e) => {
                    if let Some(meter) = cx.meter(e) {
                        cx.add_meter(&mut self.experiment.meters, meter);
                    }
                }
                Item::Setting(s) => {
                    cx.add(
                        &codes::SHAPE,
                        s.span,
                        format!("`{}` is no meter", s.name.text),
                        "options stand in brackets behind the meter",
                        format!("write `meter_name({} {} …)`", s.name.text, s.sign.text()),
                    );
                }
            }
        }
    }

    /// Takes in an `expect` statement.
    pub(crate) fn expect(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        for item in &statement.items {
            let Some(new) = cx.expectation(item) else { continue };
            let same = |e: &&Expectation| e.metric == new.metric && e.relation == new.relation;
            match self.experiment.expect.iter().find(same) {
                Some(first) => {
                    let what = format!("{} {}", new.metric.name(), new.relation.sign());
                    let first = first.span;
                    cx.repeated(&what, first, new.span);
                }
                None => self.experiment.expect.push(new),
            }
        }
    }

    /// The experiment that the statements make; what they leave open is as in [`Experiment::default`].
    pub(crate) fn finish(self) -> Experiment {
        let mut out = self.experiment;
        out.title = self.title.map(|(t, _)| t);
        out.reproduces = self.reproduces.map(|(t, _)| t);
        out.tags = self.tags.map(|(t, _)| t).unwrap_or_default();
        let run = &mut out.run;
        run.rate = self.rate.map_or(run.rate, |(r, _)| r);
        run.time = self.time.map_or(run.time, |(t, _)| t);
        if let Some((repeat, _)) = self.repeat {
            (run.repeat, run.within) = (repeat.most, repeat.within);
        }
        run.seed = self.seed.map_or(run.seed, |(s, _)| s);
        run.span = self.run.unwrap_or_default();
        out
    }
}

impl Context<'_> {
    fn tags(&mut self, e: &Expr) -> Option<Vec<String>> {
        match &self.follow(e).kind {
            ExprKind::Set(members) => {
                let tags: Vec<_> = members.iter().map(|m| self.label(m, "a tag")).collect();
                tags.into_iter().collect()
            }
            _ => Some(vec![self.label(e, "a tag")?]),
        }
    }

    /// A meter, with or without options. Which meters there are is not known here.
    pub(crate) fn meter(&mut self, e: &Expr) -> Option<MeterSpec> {
        let followed = self.follow(e);
        match &followed.kind {
            ExprKind::Word(w) => Some(MeterSpec { name: w.clone(), options: Vec::new(), span: e.span }),
            ExprKind::Call(name, items) => {
                let options = self.options(name, items);
                Some(MeterSpec { name: name.text.clone(), options: options?, span: e.span })
            }
            _ => {
                self.wrong_kind(e, "a meter such as `rtfm` or `rtfm(prefilter = bpf)`", &[]);
                None
            }
        }
    }

    fn options(&mut self, meter: &Name, items: &[Item]) -> Option<Vec<(String, String)>> {
        let mut out: Vec<(String, String)> = Vec::new();
        let mut spans: Vec<Span> = Vec::new();
        let mut ok = Some(());
        for item in items {
            let Some(s) = self.setting(item, &meter.text) else {
                ok = None;
                continue;
            };
            if let Some(first) = out.iter().position(|(n, _)| *n == s.name.text) {
                self.repeated(&s.name.text, spans[first], s.span);
                ok = None;
                continue;
            }
            let value = match &self.follow(&s.value).kind {
                ExprKind::Text(_) => self.text(&s.value, "a text")?,
                ExprKind::Invalid => {
                    ok = None;
                    continue;
                }
                _ => self.follow(&s.value).to_string(),
            };
            out.push((s.name.text.clone(), value));
            spans.push(s.span);
        }
        ok.map(|()| out)
    }

    /// Adds a meter unless it is there already.
    pub(crate) fn add_meter(&mut self, meters: &mut Vec<MeterSpec>, new: MeterSpec) {
        match meters.iter().find(|m| m.name == new.name && m.options == new.options) {
            Some(first) => {
                let first = first.span;
                self.same_point(&new.to_string(), first, new.span);
            }
            None => meters.push(new),
        }
    }

    /// Reports something that would be measured twice.
    pub(crate) fn same_point(&mut self, what: &str, first: Span, second: Span) {
        self.add(
            &codes::SAME_POINT,
            second,
            format!("{what} is named twice"),
            "it is measured once; `repeat` says how often",
            "take one out",
        )
        .relate(first, "the first");
    }

    fn expectation(&mut self, item: &Item) -> Option<Expectation> {
        let s = match item {
            Item::Setting(s) => s,
            Item::Bare(e) => {
                if e.kind != ExprKind::Invalid {
                    self.add(
                        &codes::SHAPE,
                        e.span,
                        format!("{} is no expectation", e.describe()),
                        "an expectation compares, as in `loss < 1%`",
                        "write a sign and a value behind it",
                    );
                }
                return None;
            }
        };
        let known = Metric::ALL.map(|(n, _)| n);
        let name = s.name.text.as_str();
        let metric = Metric::ALL.iter().find(|(n, _)| *n == name).map(|(_, m)| *m);
        if metric.is_none() {
            let near = suggest::nearest(name, known);
            self.add(
                &codes::UNKNOWN_SETTING,
                s.name.span,
                format!("`{name}` is nothing that can be expected"),
                format!("what can be is {}", known.join(", ")),
                did_you_mean(near, "use one of these"),
            );
        }
        let relation = match s.sign {
            Sign::Relation(r) => Some(r),
            Sign::Not => {
                self.wrong_sign(s, "expectations are `= < <= > >=`", "write one of these");
                None
            }
        };
        let value = self.expected(metric?, &s.value);
        self.possible(metric?, relation?, value?, s.span);
        Some(Expectation { metric: metric?, relation: relation?, value: value?, span: s.span })
    }

    fn expected(&mut self, metric: Metric, e: &Expr) -> Option<f64> {
        let bare_zero =
            matches!(&self.follow(e).kind, ExprKind::Number(n) if n.value == 0.0 && n.unit.is_none());
        match metric {
            Metric::Loss => self.share(e, "loss", 1.0),
            // several threads use more than one core
            Metric::Cpu => self.share(e, "cpu", 1000.0),
            Metric::Misclassified => {
                self.whole(e, "a number of packets", 0, u128::from(u64::MAX)).map(|n| n as f64)
            }
            Metric::CpuPerPacket | Metric::Memory if bare_zero => Some(0.0),
            Metric::CpuPerPacket => self.nanos(e, "cpu_per_packet"),
            Metric::Memory => self.memory(e, "memory"),
        }
    }

    /// Reports an expectation that nothing could meet: no metric is below zero.
    fn possible(&mut self, metric: Metric, relation: Relation, value: f64, span: Span) {
        let above_all = metric == Metric::Loss && relation == Relation::More && value >= 1.0;
        if above_all || (relation == Relation::Less && value <= 0.0) {
            self.add(
                &codes::OUT_OF_RANGE,
                span,
                format!("`{}` can never be so", metric.name()),
                if above_all { "not more than all can be lost" } else { "nothing is below zero" },
                "write `= 0` or `<= …`",
            );
        }
    }
}
