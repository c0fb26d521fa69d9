//! As much of a TextMate engine as the grammar needs: rules that match within a line, rules with a begin and an end,
//! captures, and includes from the repository. The leftmost match wins, then the first rule; an end goes before the
//! rules inside. Editors work so (macromates.com/manual/en/language_grammars).

use fancy_regex::{Captures, Regex};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// A grammar that has been read.
pub(super) struct Grammar {
    json: Value,
    /// Every expression of the grammar.
    expressions: HashMap<String, Regex>,
}

/// A rule that is open, and the scope of what lies in it.
struct Open<'g> {
    rule: &'g Value,
    scope: &'g str,
}

impl Grammar {
    pub(super) fn read(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).expect("JSON");
        let mut expressions = HashMap::new();
        collect(&json, &mut expressions);
        Self { json, expressions }
    }

    pub(super) fn scope_name(&self) -> &str {
        self.json["scopeName"].as_str().expect("a scope")
    }

    /// The innermost scope of every byte of a text.
    pub(super) fn scopes(&self, text: &str) -> Vec<&str> {
        let mut out = vec![self.scope_name(); text.len()];
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            self.line(line.trim_end_matches('\n'), &mut open, &mut out[start..start + line.len()]);
            start += line.len();
        }
        out
    }

    fn line<'g>(&'g self, line: &str, open: &mut Vec<Open<'g>>, out: &mut [&'g str]) {
        let mut at = 0;
        // an empty match that opens and closes the same rule would go on for ever
        for _ in 0..=4 * line.len() + 4 {
            let inside = open.last().map_or(self.scope_name(), |o| o.scope);
            let end = open.last().and_then(|o| self.find(o.rule["end"].as_str()?, line, at));
            let patterns = open.last().map_or(&self.json["patterns"], |o| &o.rule["patterns"]);
            let mut best: Option<(&'g Value, Captures<'_>)> = None;
            self.best(patterns, line, at, &mut best);
            let place = |c: &Captures<'_>| c.get(0).map_or(usize::MAX, |m| m.start());
            let ends = end.as_ref().filter(|e| best.as_ref().is_none_or(|(_, b)| place(e) <= place(b)));
            let next = ends.map(&place).or(best.as_ref().map(|(_, c)| place(c))).unwrap_or(line.len());
            out[at..next].fill(inside);
            if let Some(end) = ends {
                let rule = open.pop().expect("a rule that ends is open").rule;
                at = paint(end, rule["name"].as_str().unwrap_or(inside), &rule["endCaptures"], out);
            } else if let Some((rule, found)) = best {
                let scope = rule["name"].as_str().unwrap_or(inside);
                let begins = rule.get("begin").is_some();
                at = paint(&found, scope, &rule[if begins { "beginCaptures" } else { "captures" }], out);
                if begins {
                    open.push(Open { rule, scope });
                }
            } else {
                return;
            }
        }
        panic!("the grammar does not come to the end of {line:?}");
    }

    /// The leftmost match among rules, the first of several.
    fn best<'g, 't>(
        &'g self,
        rules: &'g Value,
        line: &'t str,
        at: usize,
        best: &mut Option<(&'g Value, Captures<'t>)>,
    ) {
        for rule in rules.as_array().into_iter().flatten() {
            if let Some(name) = rule["include"].as_str() {
                let rule = self.rule(name.trim_start_matches('#'));
                match rule.get("match").or(rule.get("begin")) {
                    Some(_) => self.candidate(rule, line, at, best),
                    None => self.best(&rule["patterns"], line, at, best),
                }
            } else {
                self.candidate(rule, line, at, best);
            }
        }
    }

    fn candidate<'g, 't>(
        &'g self,
        rule: &'g Value,
        line: &'t str,
        at: usize,
        best: &mut Option<(&'g Value, Captures<'t>)>,
    ) {
        let expression =
            rule.get("match").or(rule.get("begin")).and_then(Value::as_str).expect("an expression");
        let Some(found) = self.find(expression, line, at) else { return };
        let start = |c: &Captures<'_>| c.get(0).map(|m| m.start());
        if best.as_ref().is_none_or(|(_, b)| start(&found) < start(b)) {
            *best = Some((rule, found));
        }
    }

    fn rule(&self, name: &str) -> &Value {
        self.json["repository"].get(name).unwrap_or_else(|| panic!("no rule `{name}`"))
    }

    fn find<'t>(&self, expression: &str, line: &'t str, at: usize) -> Option<Captures<'t>> {
        self.expressions[expression].captures_from_pos(line, at).expect("an expression that comes to an end")
    }

    /// The words of the `n`-th group of alternatives, from 1, in an expression of a rule.
    pub(super) fn words(&self, rule: &str, part: &str, n: usize) -> BTreeSet<String> {
        let expression = self.rule(rule)[part].as_str().expect("an expression");
        let groups = expression.split("(?").filter_map(|g| g.strip_prefix(':').or(g.strip_prefix("i:")));
        let lists = groups.filter_map(|g| Some(g.split_once(')')?.0)).filter(|g| is_list(g));
        let list =
            lists.into_iter().nth(n - 1).unwrap_or_else(|| panic!("`{rule}` has no words in {expression}"));
        let words: Vec<String> = list.split('|').map(str::to_owned).collect();
        let set: BTreeSet<String> = words.iter().cloned().collect();
        assert_eq!(set.len(), words.len(), "`{rule}` has a word twice");
        set
    }
}

/// Whether a group is a list of words.
fn is_list(group: &str) -> bool {
    group.contains('|') && group.chars().all(|c| c.is_ascii_alphanumeric() || "|-_/%".contains(c))
}

/// Writes the scope of a match and those of its captures; answers where the match ends.
fn paint<'g>(found: &Captures<'_>, scope: &'g str, captures: &'g Value, out: &mut [&'g str]) -> usize {
    let whole = found.get(0).expect("the whole match");
    out[whole.start()..whole.end()].fill(scope);
    for i in 1..found.len() {
        if let (Some(part), Some(name)) = (found.get(i), captures[i.to_string()]["name"].as_str()) {
            out[part.start()..part.end()].fill(name);
        }
    }
    whole.end()
}

fn collect(json: &Value, out: &mut HashMap<String, Regex>) {
    match json {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if ["match", "begin", "end"].contains(&key.as_str()) => {
                        let regex = Regex::new(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                        out.insert(text.clone(), regex);
                    }
                    _ => collect(value, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|i| collect(i, out)),
        _ => {}
    }
}
