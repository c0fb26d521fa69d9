//! `load`: which traffic a class, a rule, `others` or all of them get.

use super::classes::Classes;
use super::context::Context;
use crate::ast::{Expr, ExprKind, Item, Setting, Sign, Statement};
use crate::codes;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::mix::{
    Arrival, Births, Encapsulation, Lifetime, Miss, Order, Payload, Phases, Popularity, ShareOf, Size,
    Traffic,
};
use crate::report::did_you_mean;
use crate::ruleset::ClassId;
use crate::suggest;
use crate::value::{Range, ValueSet};
use std::collections::BTreeMap;

/// A value that has been given, and where.
type Given<T> = Option<(T, Span)>;

/// The settings of a `load` statement, or all settings of a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) weight: Given<f64>,
    pub(crate) of: Given<ShareOf>,
    pub(crate) flows: Given<u32>,
    lifetime: Given<Lifetime>,
    births: Given<(Births, Option<f64>)>,
    popularity: Given<Popularity>,
    size: Given<Size>,
    arrival: Given<Arrival>,
    level: Given<Phases>,
    order: Given<Order>,
    payload: Given<Payload>,
    pub(crate) miss: Given<Miss>,
    from: Given<String>,
    addresses: Given<ValueSet>,
    encapsulation: Given<Encapsulation>,
    signature: Given<bool>,
    open: Vec<(Field, ValueSet, Span)>,
    /// The first statement.
    pub(crate) span: Option<Span>,
}

/// The names of all settings but the fields.
pub(super) const SETTINGS: [&str; 16] = [
    "weight",
    "of",
    "flows",
    "lifetime",
    "births",
    "popularity",
    "size",
    "arrival",
    "level",
    "order",
    "payload",
    "miss",
    "from",
    "addresses",
    "encapsulation",
    "signature",
];
/// What a `load` can be for; the first two can have a value.
pub(super) const TARGETS: [&str; 4] = ["class", "rule", "others", "all"];
/// Models of arrivals without parameters.
pub(super) const ARRIVALS: [&str; 2] = ["constant", "poisson"];
/// What a weight can be a share of.
pub(super) const SHARES: [&str; 3] = ["packets", "flows", "bytes"];
/// How popular flows are, models aside.
pub(super) const POPULARITIES: [&str; 1] = ["uniform"];
/// Orders of flows, models aside.
pub(super) const ORDERS: [&str; 2] = ["round", "random"];
/// Payloads beside patterns.
pub(super) const PAYLOADS: [&str; 2] = ["zero", "random"];
/// Whether packets are signed.
pub(super) const SIGNATURES: [&str; 2] = ["off", "on"];
/// How `others` can miss.
pub(super) const MISSES: [&str; 2] = ["near", "far"];

/// What all `load` statements say.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    pub(crate) all: Settings,
    pub(crate) classes: BTreeMap<ClassId, Settings>,
    /// By the place of the rule, from 0.
    pub(crate) rules: BTreeMap<usize, Settings>,
    pub(crate) others: Option<Settings>,
    /// Something could not be read, so that weights need not come to 100 %.
    pub(crate) uncertain: bool,
}

/// A `load` statement and the classes that were open where it stands.
pub(crate) struct Pending<'s> {
    pub(crate) statement: &'s Statement,
    pub(crate) open: Option<Vec<ClassId>>,
}

/// What a `load` can be for.
pub(crate) struct Known<'k> {
    pub(crate) classes: &'k Classes,
    pub(crate) rules: usize,
    /// No class or rule is missing because of an error.
    pub(crate) complete: bool,
}

impl Loads {
    /// Reports settings that say nothing without others: births where no flow ever ends, an order that knows no
    /// popularity. The others may stand in another `load`, so all of them are looked at.
    pub(crate) fn check_flows(&self, cx: &mut Context<'_>) {
        let all = || {
            let some = [Some(&self.all), self.others.as_ref()].into_iter().flatten();
            some.chain(self.classes.values()).chain(self.rules.values())
        };
        for s in all() {
            if let (Some((Popularity::Zipf(_), _)), Some((Order::Round, span))) = (s.popularity, s.order) {
                let reason = "in this order all flows send alike, whatever their popularity";
                cx.misplaced("order", span, reason, "write `order = random`, or leave it out");
            }
        }
        if self.uncertain || all().any(|s| s.lifetime.is_some()) {
            return;
        }
        let lasting = |((_, rate), _): &((Births, Option<f64>), Span)| {
            rate.is_none() || !all().any(|s| s.flows.is_some())
        };
        let births = all().filter_map(|s| s.births).filter(lasting);
        if let Some((_, span)) = births.min_by_key(|(_, s)| (s.file, s.start)) {
            cx.misplaced(
                "births",
                span,
                "no flow ends, so none begins later",
                "say how long by `lifetime = …`",
            );
        }
    }
}

/// What a `load` is for.
enum Target {
    All,
    Others,
    Classes(Vec<ClassId>),
    Rules(Vec<usize>),
}

impl Loads {
    /// Takes in a statement; classes and rules all stand by now.
    pub(crate) fn add(&mut self, cx: &mut Context<'_>, load: &Pending<'_>, known: &Known<'_>) {
        let before = cx.report.errors;
        let mut items = load.statement.items.iter();
        let target = match items.next() {
            Some(item) if is_target(item) => cx.target(item, load, known),
            Some(_) | None => {
                items = load.statement.items.iter();
                if !load.statement.broken {
                    cx.no_target(load.statement.keyword_span);
                }
                None
            }
        };
        let mut settings = Settings { span: Some(load.statement.span), ..Settings::default() };
        for item in items {
            if let Some(s) = cx.setting(item, "load") {
                settings.read(cx, s);
            }
        }
        if let Some(target) = target {
            self.give(cx, &target, &settings);
        }
        self.uncertain |= cx.report.errors > before || load.statement.broken;
    }

    fn give(&mut self, cx: &mut Context<'_>, target: &Target, settings: &Settings) {
        if let Some((_, span)) = settings.weight
            && matches!(target, Target::All)
        {
            cx.misplaced("weight", span, "`all` is no part of the traffic", "give the weight to a class");
        }
        if let Some((_, span)) = settings.miss
            && !matches!(target, Target::Others)
        {
            cx.misplaced("miss", span, "only `others` misses the rules", "write it at `load: others`");
        }
        match target {
            Target::All => self.all.merge(cx, settings),
            Target::Others => self.others.get_or_insert_default().merge(cx, settings),
            Target::Classes(ids) => {
                ids.iter().for_each(|id| self.classes.entry(*id).or_default().merge(cx, settings));
            }
            Target::Rules(places) => {
                places.iter().for_each(|p| self.rules.entry(*p).or_default().merge(cx, settings));
            }
        }
    }
}

fn is_target(item: &Item) -> bool {
    match item {
        Item::Setting(s) => s.name.text == "class" || s.name.text == "rule",
        Item::Bare(_) => true,
    }
}

impl Context<'_> {
    fn no_target(&mut self, span: Span) {
        self.add(
            &codes::TARGET,
            span,
            "this `load` does not say what it loads",
            "its first item is not `class`, `rule`, `others` or `all`",
            "write one of them first, for example `load: class, weight = 20%;`",
        );
    }

    fn misplaced(&mut self, what: &str, span: Span, reason: &str, cure: &str) {
        self.add(&codes::MISPLACED_SETTING, span, format!("`{what}` cannot be used here"), reason, cure);
    }

    fn target(&mut self, item: &Item, load: &Pending<'_>, known: &Known<'_>) -> Option<Target> {
        match item {
            Item::Bare(Expr { kind: ExprKind::Invalid, .. }) => None,
            Item::Bare(e) => match &e.kind {
                ExprKind::Word(w) if w == "all" => Some(Target::All),
                ExprKind::Word(w) if w == "others" => Some(Target::Others),
                ExprKind::Word(w) if w == "class" => self.open_classes(e.span, load),
                kind => {
                    let word = if let ExprKind::Word(w) = kind { w.as_str() } else { "" };
                    let near = suggest::nearest(word, TARGETS);
                    self.add(
                        &codes::TARGET,
                        e.span,
                        format!("{} cannot be loaded", e.describe()),
                        "traffic is for `class`, `rule = n`, `others` or `all`",
                        did_you_mean(near, "write one of them first"),
                    );
                    None
                }
            },
            Item::Setting(s) if s.sign != Sign::EQUAL => {
                self.wrong_sign(s, "the target is given with `=`", "write `=`");
                None
            }
            Item::Setting(s) if s.name.text == "class" => self.classes_of(&s.value, known),
            Item::Setting(s) => self.rules_of(&s.value, known),
        }
    }

    fn open_classes(&mut self, span: Span, load: &Pending<'_>) -> Option<Target> {
        if load.open.is_none() {
            self.add(
                &codes::TARGET,
                span,
                "no class is open here",
                "`class` alone is what the last `set` opened, and there is none before",
                "write `class = 1`, or move the `load` behind the `set`",
            );
        }
        load.open.clone().map(Target::Classes)
    }

    fn classes_of(&mut self, e: &Expr, known: &Known<'_>) -> Option<Target> {
        match &self.follow(e).kind {
            ExprKind::Word(w) if w == "others" => return Some(Target::Others),
            ExprKind::Word(w) if w == "all" => return Some(Target::All),
            ExprKind::Text(_) | ExprKind::Word(_) => {
                let name = self.label(self.names.follow(e), "the name of a class")?;
                if name == "others" {
                    return Some(Target::Others);
                }
                let found = known.classes.named(&name);
                if found.is_none() && known.complete {
                    let near = suggest::nearest(&name, known.classes.names());
                    let cure = did_you_mean(near, "use the name or number of a class of this file");
                    self.unknown_target(e.span, &format!("class \"{name}\""), "no class has this name", cure);
                }
                return Some(Target::Classes(vec![found?]));
            }
            _ => {}
        }
        let numbers = self.class_numbers(e)?;
        let mut ids = Vec::with_capacity(numbers.len());
        let mut missing = Vec::new();
        for n in numbers {
            match known.classes.number(n) {
                Some(id) => ids.push(id),
                None => missing.push(n),
            }
        }
        if let Some(first) = missing.first()
            && known.complete
        {
            let cure = "use the number of a class of this file".to_owned();
            self.unknown_target(e.span, &format!("class {first}"), "no `set` opens it", cure);
        }
        missing.is_empty().then_some(Target::Classes(ids))
    }

    /// A rule, a range of rules, or a set of these.
    fn rules_of(&mut self, e: &Expr, known: &Known<'_>) -> Option<Target> {
        let mut places = Vec::new();
        match &self.follow(e).kind {
            ExprKind::Set(members) => {
                for m in members {
                    places.extend(self.rules_between(m, known)?);
                }
            }
            _ => places.extend(self.rules_between(e, known)?),
        }
        places.sort_unstable();
        places.dedup();
        Some(Target::Rules(places))
    }

    /// Places of the rules that one number or a range of numbers names.
    fn rules_between(&mut self, e: &Expr, known: &Known<'_>) -> Option<std::ops::Range<usize>> {
        let limit = u128::from(u32::MAX);
        let (lo, hi) = match &self.follow(e).kind {
            ExprKind::Range(a, b) => (self.whole(a, "a rule", 1, limit), self.whole(b, "a rule", 1, limit)),
            _ => {
                let one = self.whole(e, "a rule", 1, limit);
                (one, one)
            }
        };
        let (lo, hi) = (lo? as usize, hi? as usize);
        if lo > hi {
            self.upside_down(e.span, &lo.to_string(), &hi.to_string());
            return None;
        }
        if hi > known.rules && known.complete {
            let reason = format!("the file has {} rules", known.rules);
            self.unknown_target(e.span, &format!("rule {hi}"), &reason, "rules count from 1".to_owned());
        }
        (hi <= known.rules).then_some(lo - 1..hi)
    }

    fn unknown_target(&mut self, span: Span, what: &str, reason: &str, cure: String) {
        self.add(&codes::UNKNOWN_TARGET, span, format!("there is no {what}"), reason, cure);
    }

    /// The networks that addresses of a recording are mapped into: a prefix, or one of each family.
    fn networks(&mut self, e: &Expr) -> Option<ValueSet> {
        let set = self.set(Field::SrcIp, e)?;
        let is_prefix = |r: &Range| {
            let width = if r.lo.family == 4 { 32 } else { 128 };
            (0..=width).any(|length| Range::prefix(r.lo, length) == *r)
        };
        let one_each = |family| set.ranges().iter().filter(|r| r.lo.family == family).count() <= 1;
        if set.ranges().iter().all(is_prefix) && one_each(4) && one_each(6) {
            return Some(set);
        }
        self.add(
            &codes::WRONG_KIND,
            e.span,
            "these are no networks that addresses could be mapped into",
            "hosts of a recording are kept together: a network of each address family holds them",
            "write a prefix, or a set of one IPv4 and one IPv6 prefix",
        );
        None
    }

    fn payload(&mut self, e: &Expr) -> Option<Payload> {
        if let ExprKind::Text(_) = &self.follow(e).kind {
            let bytes = self.text_bytes(e, "a pattern")?;
            if bytes.is_empty() {
                self.add(
                    &codes::EMPTY,
                    e.span,
                    "this pattern is empty",
                    "there is nothing to repeat",
                    "write at least one character, or `zero`",
                );
                return None;
            }
            return Some(Payload::Pattern(bytes));
        }
        let word = self.choice(e, "`zero`, `random` or a pattern in quotes", &PAYLOADS)?;
        Some(if word == 0 { Payload::Zero } else { Payload::Random })
    }
}

impl Settings {
    /// Takes in one setting of a statement.
    fn read(&mut self, cx: &mut Context<'_>, s: &Setting) {
        let (e, at) = (&s.value, s.value.span);
        match s.name.text.as_str() {
            "weight" => {
                let share = cx.share(e, "a weight", 1.0);
                cx.give(&mut self.weight, "weight", share, at);
            }
            "of" => {
                let of = cx.choice(e, "what a weight counts", &SHARES);
                let of = of.map(|i| [ShareOf::Packets, ShareOf::Flows, ShareOf::Bytes][i]);
                cx.give(&mut self.of, "of", of, at);
            }
            "flows" => {
                let flows = cx.whole(e, "a number of flows", 1, u128::from(u32::MAX));
                cx.give(&mut self.flows, "flows", flows.map(|n| n as u32), at);
            }
            "lifetime" => {
                let lifetime = cx.lifetime(e);
                cx.give(&mut self.lifetime, "lifetime", lifetime, at);
            }
            "births" => {
                let births = cx.births(e);
                cx.give(&mut self.births, "births", births, at);
            }
            "popularity" => {
                let popularity = cx.popularity(e);
                cx.give(&mut self.popularity, "popularity", popularity, at);
            }
            "size" => {
                let size = cx.size(e);
                cx.give(&mut self.size, "size", size, at);
            }
            "arrival" => {
                let arrival = cx.arrival(e);
                cx.give(&mut self.arrival, "arrival", arrival, at);
            }
            "level" => {
                let level = cx.phases(e);
                cx.give(&mut self.level, "level", level, at);
            }
            "order" => {
                let order = cx.order(e);
                cx.give(&mut self.order, "order", order, at);
            }
            "payload" => {
                let payload = cx.payload(e);
                cx.give(&mut self.payload, "payload", payload, at);
            }
            "miss" => {
                let miss = cx.choice(e, "how to miss", &MISSES);
                cx.give(&mut self.miss, "miss", miss.map(|i| [Miss::Near, Miss::Far][i]), at);
            }
            "from" => {
                let from = cx.path(e, "the path of a capture");
                cx.give(&mut self.from, "from", from, at);
            }
            "addresses" => {
                let networks = cx.networks(e);
                cx.give(&mut self.addresses, "addresses", networks, at);
            }
            "encapsulation" => {
                let headers = cx.encapsulation(e);
                cx.give(&mut self.encapsulation, "encapsulation", headers, at);
            }
            "signature" => {
                let on = cx.choice(e, "whether packets are signed", &SIGNATURES);
                cx.give(&mut self.signature, "signature", on.map(|i| i == 1), at);
            }
            _ => self.read_field(cx, s),
        }
    }

    /// A header field that the rules leave open.
    fn read_field(&mut self, cx: &mut Context<'_>, s: &Setting) {
        let name = s.name.text.as_str();
        if Field::from_name(name).is_none() && name != "scrip" {
            let known: Vec<&str> = SETTINGS.into_iter().chain(Field::ALL.map(Field::name)).collect();
            let near = suggest::nearest(name, known);
            cx.add(
                &codes::UNKNOWN_SETTING,
                s.name.span,
                format!("`load` has no setting `{name}`"),
                format!("it has {} and the header fields", SETTINGS.join(", ")),
                did_you_mean(near, "use one of them, or take it out"),
            );
            return;
        }
        let Some(field) = cx.field_named(name, s.name.span) else { return };
        if matches!(field, Field::Interface | Field::Length) {
            let cure = if field == Field::Length { "write `size`" } else { "take it out" };
            cx.misplaced(name, s.name.span, "it is no header field that could be drawn", cure);
            return;
        }
        let Some(values) = cx.set(field, &s.value) else { return };
        match self.open.iter().find(|(f, ..)| *f == field) {
            Some((_, _, first)) => {
                let first = *first;
                cx.repeated(field.name(), first, s.span);
            }
            None => self.open.push((field, values, s.span)),
        }
    }

    /// Adds the settings of another statement for the same target.
    fn merge(&mut self, cx: &mut Context<'_>, other: &Settings) {
        macro_rules! give {
            ($($name:ident)*) => {$(
                if let Some((value, span)) = &other.$name {
                    cx.give(&mut self.$name, stringify!($name), Some(value.clone()), *span);
                }
            )*};
        }
        give!(weight of flows lifetime births popularity size arrival level order payload miss from addresses encapsulation
            signature);
        for (field, values, span) in &other.open {
            match self.open.iter().find(|(f, ..)| f == field) {
                Some((_, _, first)) => {
                    let first = *first;
                    cx.repeated(field.name(), first, *span);
                }
                None => self.open.push((*field, values.clone(), *span)),
            }
        }
        self.span = self.span.or(other.span);
    }

    /// Lays these settings over a traffic.
    pub(crate) fn over(&self, mut base: Traffic) -> Traffic {
        macro_rules! lay {
            ($($name:ident)*) => {$(
                if let Some((value, _)) = &self.$name {
                    base.$name = value.clone();
                }
            )*};
        }
        lay!(size arrival popularity order payload encapsulation signature);
        if let Some(((births, rate), _)) = self.births {
            (base.births, base.birth_rate) = (births, rate.or(base.birth_rate));
        }
        base.level = self.level.as_ref().map(|(l, _)| l.clone()).or(base.level);
        base.flows = self.flows.map(|(n, _)| n).or(base.flows);
        base.lifetime = self.lifetime.as_ref().map(|(l, _)| l.clone()).or(base.lifetime);
        base.addresses = self.addresses.as_ref().map(|(a, _)| a.clone()).or(base.addresses);
        base.from = self.from.as_ref().map(|(p, _)| p.clone()).or(base.from);
        for (field, values, _) in &self.open {
            base.open.retain(|(f, _)| f != field);
            base.open.push((*field, values.clone()));
        }
        base.open.sort_by_key(|(f, _)| *f);
        base
    }
}
