//! What is known of subroutines before code is made: who calls whom, and with which attributes.

use super::Errors;
use super::ast::{Call, Source, Statement, Subroutine, What};
use super::names::attribute_of;
use crate::rtfm::Attribute;
use std::collections::{BTreeSet, HashMap};

/// The facts about one subroutine.
pub(super) struct Facts<'s, 'a> {
    pub(super) subroutine: &'s Subroutine<'a>,
    /// For each parameter the attributes that calls pass, through other subroutines too.
    pub(super) passed: Vec<BTreeSet<Attribute>>,
    /// The highest number that it returns to.
    pub(super) returns: u32,
}

/// By name in lower case.
pub(super) type Table<'s, 'a> = HashMap<String, Facts<'s, 'a>>;

struct Edge<'s, 'a> {
    caller: Option<String>,
    call: &'s Call<'a>,
}

fn key(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// The place of the parameter of that name.
pub(super) fn parameter(subroutine: &Subroutine, name: &str) -> Option<usize> {
    subroutine.parameters.iter().position(|p| p.name.text.eq_ignore_ascii_case(name))
}

/// Collects the subroutines of a program and checks every call. Calls that are wrong are reported; subroutines that
/// call themselves are, and are taken out.
pub(super) fn table<'s, 'a>(source: &'s Source<'a>, errors: &mut Errors) -> Table<'s, 'a> {
    let mut out = Table::new();
    for s in &source.subroutines {
        if out.contains_key(&key(s.name.text)) {
            let message = format!("there are two subroutines `{}`", s.name.text);
            errors.add(s.name.span, message, "a call would not know which", "rename one of them");
            continue;
        }
        let passed = vec![BTreeSet::new(); s.parameters.len()];
        let mut returns = 0;
        each(&s.body, &mut |s| {
            if let What::Return(Some(n)) = s.what {
                returns = returns.max(n);
            }
        });
        if returns > MOST_RETURNS {
            let message = format!("`{}` returns to {returns}", s.name.text);
            let reason = format!("{MOST_RETURNS} is the most: each call has a rule for every return");
            errors.add(s.name.span, message, reason, "number the returns from 1");
            returns = MOST_RETURNS;
        }
        out.insert(key(s.name.text), Facts { subroutine: s, passed, returns });
    }
    let edges = edges(source);
    for edge in &edges {
        check(edge.call, &out, errors);
    }
    for name in circular(&edges) {
        if let Some(facts) = out.remove(&name) {
            let place = facts.subroutine.name;
            let message = format!("`{}` calls itself", place.text);
            errors.add(place.span, message, "the engine's variables are not kept for each call", "unroll it");
        }
    }
    pass(&mut out, &edges);
    out
}

/// Returns of one subroutine.
pub(super) const MOST_RETURNS: u32 = 1000;

fn each<'s, 'a>(body: &'s [Statement<'a>], look: &mut impl FnMut(&'s Statement<'a>)) {
    body.iter().for_each(|s| s.walk(look));
}

fn edges<'s, 'a>(source: &'s Source<'a>) -> Vec<Edge<'s, 'a>> {
    let mut out = Vec::new();
    let subroutines = source.subroutines.iter().map(|s| (Some(key(s.name.text)), &s.body));
    for (caller, body) in [(None, &source.body)].into_iter().chain(subroutines) {
        each(body, &mut |s| {
            if let What::Call(call) = &s.what {
                out.push(Edge { caller: caller.clone(), call });
            }
        });
    }
    out
}

fn check(call: &Call, table: &Table, errors: &mut Errors) {
    let name = call.name.text;
    let Some(facts) = table.get(&key(name)) else {
        let message = format!("there is no subroutine `{name}`");
        errors.add(call.name.span, message, "it is called but not defined", "define it, or mend its name");
        return;
    };
    let (wanted, given) = (facts.passed.len(), call.actuals.len());
    if wanted != given {
        let message = format!("`{name}` takes {wanted} parameters, not {given}");
        errors.add(call.name.span, message, "its definition says so", "pass as many as it takes");
    }
    for (parameter, actual) in facts.subroutine.parameters.iter().zip(&call.actuals) {
        let known = attribute_of(actual.text);
        if known.is_some_and(|a| a.is_computed() != parameter.variable) {
            let (is, wanted) = if parameter.variable {
                ("an attribute", "one of the six variables")
            } else {
                ("a variable", "an attribute of packets")
            };
            let message = format!("`{}` is {is}", actual.text);
            let reason = format!("the parameter `{}` takes {wanted}", parameter.name.text);
            errors.add(actual.span, message, reason, "pass another, or change the parameter's kind");
        }
    }
    for n in facts.needed_returns() {
        if !call.returns.is_empty() && call.returns.iter().all(|(numbers, _)| !numbers.contains(&n)) {
            let message = format!("this call of `{name}` has no statement for return {n}");
            errors.add(
                call.name.span,
                message,
                "the subroutine returns to it",
                format!("write `{n}: {{ }}`"),
            );
        }
    }
}

impl Facts<'_, '_> {
    /// The numbers that it returns to.
    fn needed_returns(&self) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        each(&self.subroutine.body, &mut |s| {
            if let What::Return(Some(n)) = s.what {
                out.insert(n);
            }
        });
        out
    }
}

/// The subroutines that reach themselves.
fn circular(edges: &[Edge]) -> BTreeSet<String> {
    let mut callees: HashMap<&str, Vec<String>> = HashMap::new();
    for e in edges {
        if let Some(caller) = &e.caller {
            callees.entry(caller).or_default().push(key(e.call.name.text));
        }
    }
    let reaches = |start: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![start];
        while let Some(name) = open.pop() {
            for next in callees.get(name).into_iter().flatten() {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen.contains(start)
    };
    callees.keys().filter(|name| reaches(name)).map(|n| (*n).to_string()).collect()
}

/// Follows what calls pass until nothing is new.
fn pass(table: &mut Table, edges: &[Edge]) {
    loop {
        let mut news: Vec<(String, usize, BTreeSet<Attribute>)> = Vec::new();
        for e in edges {
            let caller = e.caller.as_ref().and_then(|c| table.get(c));
            let Some(callee) = table.get(&key(e.call.name.text)) else { continue };
            for (i, (actual, known)) in e.call.actuals.iter().zip(&callee.passed).enumerate() {
                let own = caller.and_then(|c| Some(&c.passed[parameter(c.subroutine, actual.text)?]));
                let passed = own.cloned().unwrap_or_else(|| attribute_of(actual.text).into_iter().collect());
                if !passed.is_subset(known) {
                    news.push((key(e.call.name.text), i, passed));
                }
            }
        }
        if news.is_empty() {
            return;
        }
        for (name, i, attributes) in news {
            if let Some(facts) = table.get_mut(&name) {
                facts.passed[i].extend(attributes);
            }
        }
    }
}
