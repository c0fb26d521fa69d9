//! Tables, chains and rules of a listing, and how the rules of its chain are tried one after the other.

use super::classes::{Classes, Common};
use super::conjunction::Conjunction;
use super::expressions::{self, Context};
use super::values::{Sets, elements, key};
use crate::diagnostic::Span;
use crate::imports::Builder;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// How deep chains may call each other; the kernel allows 16.
const DEEPEST: usize = 16;
/// How many rules chains may unfold to.
const MOST: usize = 2_000_000;

/// A rule as it stands in the text.
#[derive(Deserialize)]
pub(super) struct Rule<'a> {
    family: String,
    table: String,
    chain: String,
    comment: Option<String>,
    #[serde(borrow, default)]
    expr: Vec<&'a RawValue>,
}

/// A listing, sorted.
#[derive(Default)]
pub(super) struct Listing<'a> {
    pub(super) sets: Sets,
    /// The names of counters, and what is said beside them.
    pub(super) counters: HashMap<String, String>,
    /// The rules of every chain, with their places.
    pub(super) chains: HashMap<String, Vec<(Span, Rule<'a>)>>,
    /// The chains that packets come to by themselves.
    pub(super) bases: Vec<(Span, String)>,
}

impl<'a> Listing<'a> {
    pub(super) fn add(&mut self, rule: Rule<'a>, span: Span) {
        let chain = key(&table(&rule.family, &rule.table), &rule.chain);
        self.chains.entry(chain).or_default().push((span, rule));
    }
}

/// Family and name of a table, as one.
pub(super) fn table(family: &str, name: &str) -> String {
    format!("{family} {name}")
}

/// A rule of the notation in the making.
struct Draft {
    tests: Conjunction,
    class: Common,
    span: Span,
}

/// Where a rule leads.
enum End {
    /// No later rule is tried.
    Verdict,
    /// The rules of a chain, and for `goto` none behind.
    Chain { name: String, back: bool },
    /// Not known.
    None,
}

/// Reads the rules of one chain and of those that it calls.
pub(super) struct Walk<'a, 'b> {
    pub(super) listing: &'b Listing<'a>,
    pub(super) text: &'b str,
    pub(super) out: &'b mut Builder,
    drafts: Vec<Draft>,
}

/// One rule, read.
struct Parsed {
    /// What must hold, with the end of the rule and a counter where a map tells them.
    ways: Vec<(Conjunction, Option<End>, Option<String>)>,
    end: End,
    counter: Option<String>,
    counts: bool,
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(super) fn new(listing: &'b Listing<'a>, text: &'b str, out: &'b mut Builder) -> Self {
        Self { listing, text, out, drafts: Vec::new() }
    }

    /// All rules that packets meet in the chain.
    pub(super) fn base(mut self, chain: &str) {
        let mut start = Conjunction::default();
        match chain.split(' ').next() {
            Some("ip") => start.family(4),
            Some("ip6") => start.family(6),
            _ => (),
        }
        self.chain(chain, &start, 0, true);
        self.finish();
    }

    /// The rules of a chain for what comes to it. `last` tells that nothing is tried behind it.
    fn chain(&mut self, name: &str, so_far: &Conjunction, depth: usize, last: bool) {
        let listing = self.listing;
        let Some(rules) = listing.chains.get(name) else { return };
        for (i, (span, rule)) in rules.iter().enumerate() {
            if depth > DEEPEST || self.drafts.len() > MOST {
                self.out.lost(
                    *span,
                    "the chains call each other too deeply",
                    "they unfold to too many rules",
                );
                return;
            }
            let parsed = match self.parse(rule, so_far) {
                Ok(parsed) => parsed,
                Err((at, reason)) => {
                    self.out.lost(at.unwrap_or(*span), "this rule is not taken over", reason);
                    continue;
                }
            };
            let ends_here = last && i + 1 == rules.len();
            self.rule(*span, rule, parsed, depth, ends_here, last);
        }
    }

    fn rule(&mut self, span: Span, rule: &Rule, parsed: Parsed, depth: usize, end: bool, last: bool) {
        let Parsed { ways, end: usual, counter, counts } = parsed;
        let table = table(&rule.family, &rule.table);
        for (tests, own, label) in ways {
            let to = own.as_ref().unwrap_or(&usual);
            match to {
                End::Verdict => {
                    let class = self.class(rule, &table, label.or_else(|| counter.clone()));
                    self.drafts.push(Draft { tests, class, span });
                }
                End::Chain { name, back } => {
                    let chain = key(&table, name);
                    if !back && !last && !self.decides(&chain) {
                        self.out.lost(
                            span,
                            "this rule is not taken over",
                            "`goto` leads to a chain that leaves some packets, which skip the rules behind",
                        );
                        continue;
                    }
                    if counts {
                        self.out.aside(
                            span,
                            "a counter in front of a jump",
                            "the rules of the chain are the classes",
                        );
                    }
                    self.chain(&chain, &tests, depth + 1, !back || end);
                }
                // counts what no rule has taken
                End::None if counts && end && tests.is_empty() => (),
                End::None if counts => {
                    self.out.lost(
                        span,
                        "this rule is not taken over",
                        "it counts packets that later rules count too",
                    );
                }
                End::None => {
                    self.out.aside(span, "a rule that neither counts nor decides", "no class depends on it");
                }
            }
        }
    }

    /// Whether no packet comes to the end of the chain.
    fn decides(&self, chain: &str) -> bool {
        let last = self.listing.chains.get(chain).and_then(|rules| rules.last());
        last.is_some_and(|(_, rule)| {
            let parsed = self.parse(rule, &Conjunction::default());
            parsed.is_ok_and(|p| {
                matches!(p.end, End::Verdict)
                    && p.ways.iter().any(|(t, own, _)| t.is_empty() && own.is_none())
            })
        })
    }

    fn class(&self, rule: &Rule, table: &str, counter: Option<String>) -> Common {
        match (counter, &rule.comment) {
            (Some(label), _) => {
                let name = self.listing.counters.get(&key(table, &label)).cloned();
                Common::Label(label, name)
            }
            (None, Some(comment)) => Common::Comment(comment.clone()),
            (None, None) => Common::Rule,
        }
    }

    fn place(&self, raw: &RawValue) -> Span {
        super::place(self.text, raw.get())
    }

    /// Reads a rule's expressions, from left to right.
    fn parse(&self, rule: &Rule, so_far: &Conjunction) -> Result<Parsed, (Option<Span>, String)> {
        let table = table(&rule.family, &rule.table);
        let context = Context { sets: &self.listing.sets, table: &table };
        let mut ways = vec![(so_far.clone(), None, None)];
        let mut parsed = Parsed { ways: Vec::new(), end: End::None, counter: None, counts: false };
        for raw in &rule.expr {
            let at = || Some(self.place(raw));
            let json: Json = serde_json::from_str(raw.get()).map_err(|e| (at(), e.to_string()))?;
            let (name, inner) = match &json {
                Json::Object(o) => o.iter().next().map_or(("", &Json::Null), |(k, v)| (k.as_str(), v)),
                _ => ("", &Json::Null),
            };
            let conjunctions = |ways: &[(Conjunction, Option<End>, Option<String>)]| -> Vec<Conjunction> {
                ways.iter().map(|w| w.0.clone()).collect()
            };
            match name {
                "match" => {
                    if ways.iter().any(|w| w.1.is_some() || w.2.is_some()) {
                        return Err((at(), "it tests more behind a map".into()));
                    }
                    let made = expressions::compare(inner, &conjunctions(&ways), &context);
                    ways = made.map_err(|r| (at(), r))?.into_iter().map(|c| (c, None, None)).collect();
                }
                "counter" => {
                    parsed.counts = true;
                    match (inner.as_str(), inner.get("map")) {
                        (Some(label), _) => parsed.counter = Some(label.to_owned()),
                        (None, Some(map)) => {
                            let found =
                                self.map(map, &conjunctions(&ways), &context).map_err(|r| (at(), r))?;
                            let label = |data: &Json| data.as_str().map(str::to_owned);
                            ways = found.into_iter().map(|(c, data)| (c, None, label(data))).collect();
                        }
                        _ => (),
                    }
                }
                "vmap" => {
                    let found = self.map(inner, &conjunctions(&ways), &context).map_err(|r| (at(), r))?;
                    let end = |(c, data): (Conjunction, &Json)| verdict(data).map(|e| (c, Some(e), None));
                    ways = found
                        .into_iter()
                        .map(end)
                        .collect::<Option<_>>()
                        .ok_or_else(|| (at(), "a map of verdicts has something else".to_owned()))?;
                }
                // they let the packet go on, and change nothing that is tested
                "log" | "comment" => (),
                "return" if self.is_called(rule) => {
                    return Err((
                        at(),
                        "`return` in a chain that is called leaves packets to the rules behind the call"
                            .into(),
                    ));
                }
                _ => match verdict(&json) {
                    Some(end) => parsed.end = end,
                    None => return Err((at(), format!("`{name}` has no meaning in the notation"))),
                },
            }
        }
        parsed.ways = ways;
        Ok(parsed)
    }

    /// Whether the chain of the rule is none that packets come to by themselves.
    fn is_called(&self, rule: &Rule) -> bool {
        let chain = key(&table(&rule.family, &rule.table), &rule.chain);
        self.listing.bases.iter().all(|(_, base)| *base != chain)
    }

    /// The elements of a map: what must hold for each, and what it leads to.
    fn map<'j>(
        &'j self,
        map: &'j Json,
        so_far: &[Conjunction],
        c: &Context,
    ) -> Result<Vec<(Conjunction, &'j Json)>, String>
    where
        'b: 'j,
    {
        let (Some(left), Some(data)) = (map.get("key"), map.get("data")) else {
            return Err("a map has neither key nor data".into());
        };
        let all: Option<&[Json]> = match data.as_str().and_then(|s| s.strip_prefix('@')) {
            Some(name) => self.listing.sets.get(&key(c.table, name)).map(Vec::as_slice),
            None => data.get("set").and_then(elements),
        };
        let mut out = Vec::new();
        for element in all.ok_or("the map is not in the text")? {
            let Some([value, to]) = element.as_array().map(Vec::as_slice) else {
                return Err("an element of a map is no pair".into());
            };
            let ways = expressions::element(left, value, so_far, c)?;
            out.extend(ways.into_iter().map(|way| (way, to)));
        }
        Ok(out)
    }

    /// Makes rules of the drafts.
    fn finish(mut self) {
        let mut classes = Classes::default();
        let mut drafts = std::mem::take(&mut self.drafts).into_iter().peekable();
        while let Some(mut draft) = drafts.next() {
            let joins = |d: &mut Draft, next: &Draft| {
                d.class == next.class && d.class != Common::Rule && d.tests.absorb(&next.tests)
            };
            while let Some(next) = drafts.peek()
                && joins(&mut draft, next)
            {
                drafts.next();
            }
            let class =
                |classes: &mut Classes, out: &mut Builder| classes.class(&draft.class, draft.span, out);
            match draft.tests.finish() {
                Ok(Some(tests)) => {
                    let class = class(&mut classes, self.out);
                    self.out.rule(class, tests, draft.span);
                }
                Ok(None) => self.out.aside(
                    draft.span,
                    "a rule that no packet matches",
                    "its tests contradict each other",
                ),
                Err(reason) => self.out.lost(draft.span, "this rule is not taken over", reason),
            }
        }
    }
}

/// The end of a rule that a statement makes.
fn verdict(json: &Json) -> Option<End> {
    let (name, inner) = json.as_object()?.iter().next()?;
    let target = || inner.get("target").and_then(Json::as_str).map(str::to_owned);
    match name.as_str() {
        "accept" | "drop" | "reject" | "return" | "queue" => Some(End::Verdict),
        "jump" => Some(End::Chain { name: target()?, back: true }),
        "goto" => Some(End::Chain { name: target()?, back: false }),
        _ => None,
    }
}
