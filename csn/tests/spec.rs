//! Runs the literate specification of the notation, `spec/*.md`, and of the back ends, `spec/backends/*.md`.
//!
//! A fenced block ```` ```csn ```` is a scenario; ```` ```csn file=name.csn ```` is a file that the next scenario can
//! include. The blocks behind a scenario, up to the next, say what must come of it:
//!
//! | block | holds |
//! |---|---|
//! | `diagnostics` | one `CODE line:column` a line, in order; text behind is for readers. Without it there are none |
//! | `unexecuted` | the same for what this version does not execute |
//! | `advice` | what `check --advise` finds besides, in the same way |
//! | `rules` | `class: rule` a line |
//! | `mix` | `target: share, what differs from the defaults` a line |
//! | `experiment` | meters, run, axes and expectations, one a line |
//! | `formatted` | the canonical layout |
//! | `edit` | an edit, by its words on the command line; the next block is one of the two below |
//! | `edited` | the whole text after it |
//! | `refused` | as `diagnostics`, with places in what the finding points into |
//! | `compile NAME` | what the back end makes of it; `form=tree`, `invert` and `live` behind the name are options |
//! |  | a line `…` stands for any lines |
//! | `losses NAME` | `rule: reason` a line: what the back end cannot say. Without it there are none |
//! | `outside NAME` | `kind: reason` a line: frames that the target classes otherwise, whatever the rules say |
//!
//! `SPEC_UPDATE=1 cargo test -p csn --test spec` writes what comes of the scenarios into the pages. Read the
//! difference before you keep it.

use csn::backends::{self, BACKENDS, Options, shared_tests};
use csn::mix::{Arrival, Births, Order, Payload, Popularity, ShareOf, Traffic};
use csn::{Axis, CODES, Diagnostic, Loader, Outcome, Scenario, Sources, Target};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Codes that no scenario on a page can show, and why.
const NOT_SHOWN: [(&str, &str); 6] = [
    ("E501", "rule sets of other formats have no scenario; the imports' own tests show it"),
    ("E502", "likewise"),
    ("W503", "likewise"),
    ("E250", "rules that come from text have E204 first; it is for imported rules"),
    ("W253", "it takes more work than the check may do"),
    ("L254", "it takes more rules than are compared"),
];

#[derive(Default)]
struct Example {
    source: String,
    /// The line of the page on which the scenario starts, and the one behind it; from 0.
    lines: Range<usize>,
    files: HashMap<String, String>,
    expected: Vec<Block>,
}

struct Block {
    info: String,
    body: String,
    /// The lines of the page between the fences.
    lines: Range<usize>,
}

/// Something that is not as expected.
struct Failure {
    what: String,
    expected: String,
    found: String,
    /// The lines of the page that it stands on; none where the block is missing.
    lines: Option<Range<usize>>,
}

struct Files(HashMap<String, String>);

impl Loader for Files {
    fn load(&mut self, _: &str, path: &str) -> Result<(String, String), String> {
        self.0.get(path).map(|t| (path.to_owned(), t.clone())).ok_or_else(|| "no such file".into())
    }
}

/// Whether the pages are to be rewritten.
fn updating() -> bool {
    std::env::var_os("SPEC_UPDATE").is_some()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("spec")
}

/// Every page with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = [folder(), folder().join("backends")]
        .iter()
        .flat_map(|f| std::fs::read_dir(f).unwrap().map(|e| e.unwrap().path()))
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    paths.sort();
    paths.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn the_specification_holds() {
    let update = updating();
    let mut failures = String::new();
    let mut count = 0;
    for (path, text) in pages() {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // from the end, so that what is rewritten moves nothing that is still to come
        for example in examples(&text).iter().rev() {
            count += 1;
            let mut found = check(example);
            found.sort_by_key(|f| f.lines.as_ref().map_or(example.lines.end, |l| l.start));
            for f in found.iter().rev() {
                let name = path.strip_prefix(folder()).unwrap().display();
                let _ = write!(
                    failures,
                    "\n{name}:{}: {}\n--- expected\n{}\n--- found\n{}\n",
                    example.lines.start, f.what, f.expected, f.found
                );
                if update {
                    f.write(&mut lines, example.lines.end);
                }
            }
        }
        if update {
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        }
    }
    assert!(count > 20, "only {count} examples found in {}", folder().display());
    assert!(update || failures.is_empty(), "{failures}\nSPEC_UPDATE=1 writes what was found into the pages");
}

#[test]
fn every_diagnostic_is_shown() {
    let mut shown: HashSet<String> = HashSet::new();
    for (_, text) in pages() {
        for example in examples(&text) {
            let blocks = example
                .expected
                .iter()
                .filter(|b| ["diagnostics", "unexecuted", "refused", "advice"].contains(&b.info.as_str()));
            let lines = blocks.flat_map(|b| b.body.lines());
            shown.extend(lines.filter_map(|l| l.split_whitespace().next()).map(str::to_owned));
        }
    }
    for (code, reason) in NOT_SHOWN {
        assert!(!shown.contains(code), "{code} is shown, although {reason}");
    }
    let excused = |code: &str| NOT_SHOWN.iter().any(|(c, _)| *c == code);
    let missing: Vec<_> =
        CODES.iter().map(|c| c.code).filter(|c| !shown.contains(*c) && !excused(c)).collect();
    assert!(missing.is_empty(), "no page shows {missing:?}");
}

#[test]
fn every_back_end_has_a_page_that_shows_it() {
    for backend in BACKENDS {
        let path = folder().join("backends").join(format!("{}.md", backend.name()));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let blocks: Vec<Block> = examples(&text).into_iter().flat_map(|e| e.expected).collect();
        let shows = |what: &str| {
            blocks.iter().any(|b| b.info.split(' ').take(2).eq([what, backend.name()]) && !b.body.is_empty())
        };
        assert!(shows("compile"), "{}: no block `compile {}`", path.display(), backend.name());
        let says_that_there_are_none = text.contains("can say every rule");
        assert!(
            shows("losses") != says_that_there_are_none,
            "{}: show what it cannot say in a block `losses {}`, or write that it can say every rule",
            path.display(),
            backend.name()
        );
    }
}

fn examples(text: &str) -> Vec<Example> {
    let mut out: Vec<Example> = Vec::new();
    let mut files = HashMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|i| !i.is_empty()) else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```").collect();
        let place = n + 1..n + 1 + body.len();
        let body = body.join("\n");
        match info.split_once(' ') {
            Some(("csn", name)) => {
                files.insert(name.trim_start_matches("file=").to_owned(), body);
            }
            _ if info == "csn" => out.push(Example {
                lines: n + 1..place.end + 1,
                source: body,
                files: std::mem::take(&mut files),
                expected: vec![],
            }),
            // commands for readers
            _ if info == "sh" || info == "text" => {}
            _ => {
                let block = Block { info: info.to_owned(), body, lines: place };
                out.last_mut().expect("a scenario before").expected.push(block);
            }
        }
    }
    out
}

/// What does not hold.
fn check(example: &Example) -> Vec<Failure> {
    let outcome = csn::compile("example.csn", &example.source, &mut Files(example.files.clone()));
    let mut failures = Vec::new();
    let mut compare = |what: &str, block: Option<&Block>, expected: &str, found: String| {
        if expected.trim_end() != found.trim_end() {
            let (what, expected) = (what.to_owned(), expected.to_owned());
            failures.push(Failure { what, expected, found, lines: block.map(|b| b.lines.clone()) });
        }
    };
    for (what, found) in [("diagnostics", &outcome.diagnostics), ("unexecuted", &outcome.unexecuted)] {
        let block = example.expected.iter().find(|b| b.info == what);
        let wanted: Vec<String> = block.map_or("", |b| &b.body).lines().map(first_two).collect();
        let places: Vec<String> = found.iter().map(|d| place(d, &outcome.sources)).collect();
        if wanted != places {
            let shown: Vec<_> = found.iter().map(|d| shown(d, &outcome.sources)).collect();
            compare(what, block, &wanted.join("\n"), shown.join("\n"));
        }
    }
    let mut command = "";
    for block in &example.expected {
        let (what, arguments) = block.info.split_once(' ').unwrap_or((&block.info, ""));
        let found = match what {
            "diagnostics" | "unexecuted" | "losses" | "outside" => continue,
            "edit" => {
                command = &block.body;
                continue;
            }
            "edited" => edit(example, command).unwrap_or_else(|places| places),
            "refused" => {
                let wanted: Vec<String> = block.body.lines().map(first_two).collect();
                let found = edit(example, command).unwrap_or_else(|places| places);
                compare(&block.info, Some(block), &wanted.join("\n"), found);
                continue;
            }
            "advice" => {
                let wanted: Vec<String> = block.body.lines().map(first_two).collect();
                compare(&block.info, Some(block), &wanted.join("\n"), advice(&outcome));
                continue;
            }
            "rules" => rules(&outcome),
            "mix" => mix(&outcome.scenario),
            "experiment" => experiment(&outcome.scenario),
            "formatted" => csn::format(&example.source).unwrap_or_default(),
            "compile" => {
                let made = emitted(&outcome, arguments);
                for (kind, found) in [("losses", made.losses), ("outside", made.outside)] {
                    let info = format!("{kind} {arguments}");
                    let block = example.expected.iter().find(|b| b.info == info);
                    // that there are no losses need not be said, and not every example says what is outside
                    if block.is_some() || kind == "losses" {
                        compare(&info, block, block.map_or("", |b| &b.body), found);
                    }
                }
                made.artefact
            }
            other => panic!("a block `{other}` is not known"),
        };
        if !holds(&block.body, &found) {
            compare(&block.info, Some(block), &block.body, found);
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

/// Whether the lines are those of the block, in which a line `…` stands for any lines.
fn holds(block: &str, found: &str) -> bool {
    let (block, found): (Vec<&str>, Vec<&str>) =
        (block.trim_end().lines().collect(), found.trim_end().lines().collect());
    let parts: Vec<&[&str]> = block.split(|l| *l == "…").collect();
    let [first, between @ .., last] = parts.as_slice() else { return block == found };
    let Some(mut rest) = found.strip_prefix(*first).and_then(|r| r.strip_suffix(*last)) else { return false };
    between.iter().all(|part| {
        let at = rest.windows(part.len().max(1)).position(|w| w.starts_with(part));
        at.inspect(|at| rest = &rest[at + part.len()..]).is_some()
    })
}

impl Failure {
    /// Puts what was found into the page: into its block, or into a new one behind the scenario.
    fn write(&self, page: &mut Vec<String>, behind: usize) {
        assert!(
            !self.expected.lines().any(|l| l == "…"),
            "`{}` leaves lines out: mend it by hand",
            self.what
        );
        let found = self.found.trim_end().lines().map(str::to_owned);
        match &self.lines {
            Some(lines) => drop(page.splice(lines.clone(), found)),
            None => {
                let head = [String::new(), format!("```{}", self.what)];
                drop(page.splice(behind..behind, head.into_iter().chain(found).chain(["```".to_owned()])));
            }
        }
    }
}

/// What a back end makes of the rules, as text of its blocks.
struct Made {
    artefact: String,
    losses: String,
    outside: String,
}

/// What a back end makes of the rules, as `compile --to` does, and what it cannot say.
fn emitted(outcome: &Outcome, arguments: &str) -> Made {
    let mut words = arguments.split(' ');
    let name = words.next().unwrap_or_default();
    let backend = backends::by_name(name).unwrap_or_else(|| panic!("there is no back end `{name}`"));
    let rules = &outcome.scenario.rules;
    let mut options = Options { shared: Some(shared_tests(rules)), ..Options::default() };
    for word in words {
        match word {
            "invert" => options.invert = true,
            "live" => options.live = true,
            other => {
                let name = other.strip_prefix("form=");
                let form = name.and_then(|n| backend.forms().iter().find(|f| f.name == n));
                options.form =
                    Some(*form.unwrap_or_else(|| panic!("`{other}` is no option of `{}`", backend.name())));
            }
        }
    }
    let made = backend.emit(rules, &options);
    Made {
        artefact: made.artefact,
        losses: made.losses.iter().map(|l| format!("{}: {}\n", l.rule + 1, l.reason)).collect(),
        outside: made.outside.iter().map(|o| format!("{}: {}\n", o.kind, o.reason)).collect(),
    }
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

fn advice(outcome: &Outcome) -> String {
    let scenario = &outcome.scenario;
    let advice = csn::geometry::advice(&scenario.rules, &scenario.mix).diagnostics;
    let besides = advice.iter().filter(|d| !csn::geometry::finds(d));
    besides.map(|d| format!("{}\n", place(d, &outcome.sources))).collect()
}

fn shown(d: &Diagnostic, sources: &Sources) -> String {
    // a page for readers has the message, a failure all that helps to find its cause
    let more = if updating() { String::new() } else { format!(": {} ({})", d.reason, d.cure) };
    format!("{:<12} {}{more}", place(d, sources), d.message)
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
    if let Some(lifetime) = &t.lifetime {
        let _ = write!(out, ", each {lifetime}");
    }
    if t.births == Births::Poisson {
        out.push_str(", poisson births");
    }
    if let Some(rate) = t.birth_rate {
        let _ = write!(out, ", {rate} births/s");
    }
    if let Popularity::Zipf(s) = t.popularity {
        let _ = write!(out, ", zipf {s}");
    }
    if t.size != plain.size {
        let _ = write!(out, ", size {}", t.size);
    }
    match &t.arrival {
        Arrival::Constant => {}
        Arrival::Poisson => out.push_str(", poisson"),
        Arrival::Model(m) => out.push_str(&format!(", {m}")),
        Arrival::Gaps(gaps) => {
            let gaps: Vec<_> = gaps.iter().map(ToString::to_string).collect();
            let _ = write!(out, ", gaps {}", gaps.join(" "));
        }
        Arrival::Capture(path) => out.push_str(&format!(", gaps of {path:?}")),
    }
    if let Some(phases) = &t.level {
        let _ = write!(out, ", {phases}");
    }
    match t.order {
        Order::Round => {}
        Order::Random => out.push_str(", random order"),
        Order::Runs(mean) => {
            let _ = write!(out, ", runs of {mean}");
        }
    }
    match &t.payload {
        Payload::Zero => {}
        Payload::Random => out.push_str(", random payload"),
        Payload::Pattern(p) => out.push_str(&format!(", payload {p:?}")),
    }
    if t.encapsulation != plain.encapsulation {
        let _ = write!(out, ", in {}", t.encapsulation);
    }
    if t.signature {
        out.push_str(", signed");
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
    let repeat = match r.within {
        Some(share) => format!("until ±{}%, at most {} times", share * 100.0, r.repeat),
        None => format!("{} times", r.repeat),
    };
    let _ = writeln!(out, "run: {}, {}, {repeat}, seed {}", r.rate, r.time, r.seed);
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
