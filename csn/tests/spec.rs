//! Runs the literate specification of the notation, `spec/*.md`.
//!
//! A fenced block ```` ```csn ```` is a scenario; ```` ```csn file=name.csn ```` is a file that the next scenario can
//! include. The blocks behind a scenario, up to the next, say what must come of it:
//!
//! | block | holds |
//! |---|---|
//! | `diagnostics` | one `CODE line:column` a line, in order; text behind is for readers. Without it there are none |
//! | `unexecuted` | the same for what this version does not execute |
//! | `rules` | `class: rule` a line |
//! | `mix` | `target: share, what differs from the defaults` a line |
//! | `experiment` | meters, run, axes and expectations, one a line |
//! | `formatted` | the canonical layout |
//! | `edit` | an edit, by its words on the command line; the next block is one of the two below |
//! | `edited` | the whole text after it |
//! | `refused` | as `diagnostics`, with places in what the finding points into |

use csn::mix::{Arrival, Order, Payload, ShareOf, Traffic};
use csn::{Axis, Diagnostic, Loader, Outcome, Scenario, Sources, Target};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Default)]
struct Example {
    line: usize,
    source: String,
    files: HashMap<String, String>,
    expected: Vec<(String, String)>,
}

struct Files(HashMap<String, String>);

impl Loader for Files {
    fn load(&mut self, _: &str, path: &str) -> Result<(String, String), String> {
        self.0.get(path).map(|t| (path.to_owned(), t.clone())).ok_or_else(|| "no such file".into())
    }
}

#[test]
fn the_specification_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec");
    let mut failures = String::new();
    let mut count = 0;
    let mut pages: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    pages.sort();
    for page in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for example in examples(&text) {
            count += 1;
            for (what, expected, found) in check(&example) {
                let name = page.file_name().unwrap().to_string_lossy();
                let _ = write!(
                    failures,
                    "\n{name}:{}: {what}\n--- expected\n{expected}\n--- found\n{found}\n",
                    example.line
                );
            }
        }
    }
    assert!(count > 20, "only {count} examples found in {}", folder.display());
    assert!(failures.is_empty(), "{failures}");
}

fn examples(text: &str) -> Vec<Example> {
    let mut out: Vec<Example> = Vec::new();
    let mut files = HashMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|i| !i.is_empty()) else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```").collect();
        let body = body.join("\n");
        match info.split_once(' ') {
            Some(("csn", name)) => {
                files.insert(name.trim_start_matches("file=").to_owned(), body);
            }
            _ if info == "csn" => {
                out.push(Example {
                    line: n + 1,
                    source: body,
                    files: std::mem::take(&mut files),
                    expected: vec![],
                });
            }
            _ => out.last_mut().expect("a scenario before").expected.push((info.to_owned(), body)),
        }
    }
    out
}

/// What does not hold: what it is, what was expected, what was found.
fn check(example: &Example) -> Vec<(String, String, String)> {
    let outcome = csn::compile("example.csn", &example.source, &mut Files(example.files.clone()));
    let expected = |what: &str| example.expected.iter().find(|(w, _)| w == what).map(|(_, t)| t.as_str());
    let mut failures = Vec::new();
    let mut compare = |what: &str, expected: &str, found: String| {
        if expected.trim_end() != found.trim_end() {
            failures.push((what.to_owned(), expected.to_owned(), found));
        }
    };
    for (what, found) in [("diagnostics", &outcome.diagnostics), ("unexecuted", &outcome.unexecuted)] {
        let wanted: Vec<String> = expected(what).unwrap_or_default().lines().map(first_two).collect();
        let places: Vec<String> = found.iter().map(|d| place(d, &outcome.sources)).collect();
        if wanted != places {
            let shown: Vec<_> = found.iter().map(|d| shown(d, &outcome.sources)).collect();
            compare(what, &wanted.join("\n"), shown.join("\n"));
        }
    }
    let mut command = "";
    for (what, text) in &example.expected {
        match what.as_str() {
            "edit" => command = text,
            "edited" => compare(what, text, edit(example, command).unwrap_or_else(|codes| codes)),
            "refused" => {
                let wanted: Vec<String> = text.lines().map(first_two).collect();
                compare(what, &wanted.join("\n"), edit(example, command).unwrap_or_else(|codes| codes));
            }
            "diagnostics" | "unexecuted" => {}
            "rules" => compare(what, text, rules(&outcome)),
            "mix" => compare(what, text, mix(&outcome.scenario)),
            "experiment" => compare(what, text, experiment(&outcome.scenario)),
            "formatted" => compare(what, text, csn::format(&example.source).unwrap_or_default()),
            other => compare(other, "a kind of block that is known", String::new()),
        }
    }
    failures
}

/// The text after an edit, or the codes and places of what refuses it.
fn edit(example: &Example, command: &str) -> Result<String, String> {
    let quoted = command.split('\'').enumerate();
    let words: Vec<&str> = quoted
        .flat_map(|(i, part)| if i % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .collect();
    let option = |name| words.iter().position(|w| *w == name).map(|i| words[i + 1]);
    let mut files = Files(example.files.clone());
    let (name, text, class) = ("example.csn", example.source.as_str(), option("--class"));
    let made = match words[0] {
        "add" => {
            let addition = csn::edit::Addition {
                class: class.expect("a class"),
                class_name: option("--name"),
                rule: words[words.len() - 1],
            };
            csn::edit::add(name, text, &mut files, &addition)
        }
        _ => {
            let removal = match (class, option("--rule")) {
                (Some(class), Some(rule)) => csn::edit::Removal::RuleOf(class, rule),
                (Some(class), None) => csn::edit::Removal::Class(class),
                (None, number) => {
                    csn::edit::Removal::Rule(number.and_then(|n| n.parse().ok()).expect("a number"))
                }
            };
            csn::edit::remove(name, text, &mut files, &removal)
        }
    };
    let refused = match made {
        Ok(edited) => return Ok(edited.text),
        Err(refused) => refused,
    };
    let sources = &refused.sources;
    let places = refused.diagnostics.iter().map(|d| {
        let (line, column) = sources.line_column(d.span.file, d.span.start);
        match sources.name(d.span.file) {
            "example.csn" => format!("{} {line}:{column}", d.code),
            other => format!("{} {other}:{line}:{column}", d.code),
        }
    });
    Err(places.collect::<Vec<_>>().join("\n"))
}

fn first_two(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn place(d: &Diagnostic, sources: &Sources) -> String {
    let (line, column) = sources.line_column(d.span.file, d.span.start);
    match d.span.file.0 {
        0 => format!("{} {line}:{column}", d.code),
        _ => format!("{} {}:{line}:{column}", d.code, sources.name(d.span.file)),
    }
}

fn shown(d: &Diagnostic, sources: &Sources) -> String {
    format!("{} {}: {} ({})", place(d, sources), d.message, d.reason, d.cure)
}

fn rules(outcome: &Outcome) -> String {
    let set = &outcome.scenario.rules;
    set.rules.iter().map(|r| format!("{}: {r}\n", set.label(r.class))).collect()
}

fn mix(scenario: &Scenario) -> String {
    let mut out = String::new();
    for c in &scenario.mix.components {
        let target = match c.target {
            Target::Class(id) => format!("class {}", scenario.rules.label(id)),
            Target::Rule(place) => format!("rule {}", place + 1),
            Target::Others(miss) => format!("others {miss:?}").to_lowercase(),
        };
        let _ = write!(out, "{target}: {}%", (c.share * 1e6).round() / 1e4);
        if c.share_of != ShareOf::Packets {
            let _ = write!(out, " of {:?}", c.share_of);
        }
        let _ = writeln!(out, "{}", traffic(&c.traffic));
    }
    out
}

fn traffic(t: &Traffic) -> String {
    let plain = Traffic::default();
    let mut out = String::new();
    if let Some(n) = t.flows {
        let _ = write!(out, ", {n} flows");
    }
    if t.size != plain.size {
        let _ = write!(out, ", size {}", t.size);
    }
    match &t.arrival {
        Arrival::Constant => {}
        Arrival::Poisson => out.push_str(", poisson"),
        Arrival::Model(m) => out.push_str(&format!(", {m}")),
    }
    if t.order == Order::Random {
        out.push_str(", random order");
    }
    match &t.payload {
        Payload::Zero => {}
        Payload::Random => out.push_str(", random payload"),
        Payload::Pattern(p) => out.push_str(&format!(", payload {p:?}")),
    }
    if let Some(path) = &t.from {
        let _ = write!(out, ", from {path}");
    }
    for (field, set) in &t.open {
        let ranges: Vec<_> = set.ranges().iter().map(|r| format!("{}..{}", r.lo, r.hi)).collect();
        let _ = write!(out, ", {field} {}", ranges.join(" "));
    }
    out
}

fn experiment(scenario: &Scenario) -> String {
    let e = &scenario.experiment;
    let mut out = String::new();
    for (name, text) in [("title", &e.title), ("reproduces", &e.reproduces)] {
        if let Some(text) = text {
            let _ = writeln!(out, "{name}: {text}");
        }
    }
    if !e.tags.is_empty() {
        let _ = writeln!(out, "tags: {}", e.tags.join(" "));
    }
    for m in &e.meters {
        let _ = writeln!(out, "meter: {m}");
    }
    let r = &e.run;
    let _ = writeln!(out, "run: {}, {}, {} times, seed {}", r.rate, r.time, r.repeat, r.seed);
    for axis in &e.vary {
        let _ = writeln!(out, "{}: {}", axis.name(), points(axis));
    }
    for x in &e.expect {
        let _ = writeln!(out, "expect: {} {} {}", x.metric.name(), x.relation.sign(), x.value);
    }
    out
}

fn points(axis: &Axis) -> String {
    fn list<T: ToString>(values: &[T]) -> String {
        values.iter().map(T::to_string).collect::<Vec<_>>().join(" | ")
    }
    match axis {
        Axis::Rules(v) | Axis::Flows(v) => list(v),
        Axis::Meter(v) => list(v),
        Axis::Others(v) => list(v),
        Axis::Rate(v) => list(v),
        Axis::Size(v) => list(v),
    }
}
