//! What `check --advise` says of a rule set as a whole, besides its findings.

use csn::geometry::{self, Advice, Order, Reach};
use csn::{Diagnostic, Outcome};
use std::fmt::Write as _;

/// Rules of an order that are listed for people; `--json` lists all.
const LISTED: usize = 40;

/// The advice on a scenario.
pub struct Advised<'a> {
    outcome: &'a Outcome,
    advice: Advice,
    /// The findings of the check and of the advice, by place.
    pub found: Vec<Diagnostic>,
}

/// Looks longer at the rules of a scenario without errors.
pub fn advise(outcome: &Outcome) -> Advised<'_> {
    let scenario = &outcome.scenario;
    let mut advice = geometry::advice(&scenario.rules, &scenario.mix);
    let mut found: Vec<Diagnostic> =
        outcome.diagnostics.iter().filter(|d| !geometry::finds(d)).cloned().collect();
    found.append(&mut advice.diagnostics);
    found.sort_by_key(|d| (d.span.file, d.span.start, d.span.end, d.code));
    Advised { outcome, advice, found }
}

/// Places from 0 as the numbers of rules, from 1.
fn numbers(rules: &[usize]) -> Vec<usize> {
    rules.iter().map(|i| i + 1).collect()
}

impl Advised<'_> {
    /// One JSON object.
    pub fn json(&self) -> String {
        let (a, rules) = (&self.advice, &self.outcome.scenario.rules);
        let idle: Vec<String> = a.idle.iter().map(|c| rules.label(*c)).collect();
        let merge = |m: &geometry::Merge| serde_json::json!({"field": m.field, "rules": numbers(&m.rules)});
        let merges: Vec<_> = a.merges.iter().map(merge).collect();
        let order = a.order.as_ref().map(|o| {
            serde_json::json!({
                "rules": numbers(&o.rules), "comparisons_before": o.before, "comparisons_after": o.after,
                "saving": o.saving(), "shares_are_packets": !a.order_is_rough,
            })
        });
        serde_json::json!({
            "file": self.outcome.sources.name(csn::FileId(0)),
            "advice": {
                "unreachable": numbers(&a.unreachable), "unknown": numbers(&a.unknown),
                "rules": rules.rules.len(), "compared": a.compared, "overlaps": a.overlaps,
                "classes_without_packets": idle,
                "others": others(&a.others), "others_example": a.example_of_others(),
                "merges": merges, "order": order,
            }
        })
        .to_string()
    }

    /// Lines for people.
    pub fn text(&self) -> String {
        let (a, count) = (&self.advice, self.outcome.scenario.rules.rules.len());
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} of {count} rules can never match; {} pairs of rules of different classes overlap",
            a.unreachable.len(),
            a.overlaps
        );
        if a.compared < count {
            let _ = writeln!(out, "only the first {} rules were compared with all before them", a.compared);
        }
        if !a.unknown.is_empty() {
            let _ = writeln!(out, "of {} rules it was not found out whether they can match", a.unknown.len());
        }
        let _ = match (&a.others, a.example_of_others()) {
            (_, Some(example)) => writeln!(out, "some packets match no rule, such as {example}"),
            (Reach::Unknown, None) => writeln!(out, "whether every packet matches a rule was not found out"),
            _ => writeln!(out, "every packet matches a rule"),
        };
        let fewer: usize = a.merges.iter().map(|m| m.rules.len() - 1).sum();
        let _ =
            writeln!(out, "merging rules that differ in one field would leave {} of {count}", count - fewer);
        if let Some(order) = &a.order {
            self.order(order, &mut out);
        }
        out
    }

    fn order(&self, order: &Order, out: &mut String) {
        if order.after >= order.before {
            let _ = writeln!(
                out,
                "{:.2} comparisons of rules per packet are expected; no better order was found",
                order.before
            );
            return;
        }
        let _ = writeln!(
            out,
            "{:.2} comparisons of rules per packet are expected, and {:.2} ({:.1}% fewer) in this order:",
            order.before,
            order.after,
            100.0 * order.saving()
        );
        let listed: Vec<String> = order.rules.iter().take(LISTED).map(|i| (i + 1).to_string()).collect();
        let more = order.rules.len().saturating_sub(LISTED);
        let rest = if more > 0 { format!(" and {more} more (--json lists all)") } else { String::new() };
        let _ = writeln!(out, "  {}{rest}", listed.join(" "));
        if self.advice.order_is_rough {
            let _ = writeln!(out, "  (shares of flows or bytes were taken as shares of packets)");
        }
    }
}

fn others(reach: &Reach) -> Option<bool> {
    match reach {
        Reach::Reachable(_) => Some(true),
        Reach::Covered(_) | Reach::Empty => Some(false),
        Reach::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let text = "set: class = 1;\naddrule: proto = udp, dstport = 53;\naddrule: proto = udp, dstport = 123;\n\
                    set: class = 2, name = \"web\";\naddrule: proto = tcp;\n\
                    set: class = 3;\naddrule: proto = tcp, dstport = 80;\n\
                    load: class = web, weight = 90%;\nload: class = 1, weight = 10%;\n";
        csn::compile("x.csn", text, &mut csn::NoLoader)
    }

    #[test]
    fn advice_is_one_object_for_programs() {
        let outcome = outcome();
        let advised = advise(&outcome);
        let codes: Vec<_> = advised.found.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["L256", "L257", "W255", "W306", "W251"], "{:?}", advised.found);
        let v: serde_json::Value = serde_json::from_str(&advised.json()).unwrap();
        let a = &v["advice"];
        assert_eq!(a["unreachable"], serde_json::json!([4]));
        assert_eq!(a["classes_without_packets"], serde_json::json!(["3"]));
        assert_eq!(a["merges"], serde_json::json!([{"field": "dstport", "rules": [1, 2]}]));
        assert_eq!(a["order"]["rules"], serde_json::json!([3, 1, 2, 4]));
        assert_eq!(a["others"], true);
        // 0.05 + 2 * 0.05 + 3 * 0.9 comparisons, and 0.9 + 2 * 0.05 + 3 * 0.05
        let near = |v: &serde_json::Value, x: f64| (v.as_f64().unwrap() - x).abs() < 1e-9;
        assert!(near(&a["order"]["comparisons_before"], 2.85), "{a}");
        assert!(near(&a["order"]["comparisons_after"], 1.15), "{a}");
    }

    #[test]
    fn advice_for_people_says_what_an_order_saves() {
        let outcome = outcome();
        let text = advise(&outcome).text();
        assert!(text.contains("1 of 4 rules can never match"), "{text}");
        assert!(text.contains("2.85 comparisons") && text.contains("1.15 (59.6% fewer)"), "{text}");
        assert!(text.contains("  3 1 2 4\n"), "{text}");
    }
}
