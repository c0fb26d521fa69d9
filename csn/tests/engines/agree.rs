//! Compares an engine with the oracle.

use csn::backends::{self, Backend, Emitted, Options};
use csn::imports;
use csn::sample::{Frames, Random, rule_set};
use csn::{ClassId, Field, FrameKinds, RuleSet, packet};

/// Frames of each rule set.
const FRAMES: usize = 10_000;
/// Frames that are drawn for one that the engine sees as the notation does.
const DRAWS: usize = 200;

/// A classifier outside of this project.
pub trait Engine {
    /// What it is, in messages.
    fn name(&self) -> String;

    /// The back end that makes its rules.
    fn backend(&self) -> &'static dyn Backend;

    /// How.
    fn options(&self) -> Options {
        Options::default()
    }

    /// The fields that random rules test.
    fn fields(&self) -> Vec<Field>;

    /// The most rules of a random set.
    fn most_rules(&self) -> usize {
        60
    }

    /// How many rules of the ClassBench sets it takes, where it has a limit.
    fn most_classbench_rules(&self) -> usize {
        usize::MAX
    }

    /// What is missing on this machine, and the command that would install it.
    fn missing(&self) -> Option<String>;

    /// Whether it tells classes apart. A filter does not: all rules are then of one class.
    fn tells_classes_apart(&self) -> bool {
        true
    }

    /// Changes a frame so that it reaches the engine at all (an address, a checksum).
    fn prepare(&self, _frame: &mut Vec<u8>) {}

    /// Frames that never reach the rules of the engine, whatever their kind, with a reason in a comment of the
    /// implementation.
    fn unseen(&self, _frame: &[u8]) -> bool {
        false
    }

    /// Lets the engine classify `frames` by `made`. The answer is its packets of every class, by their place in
    /// `rules.classes`; none where it does not count a class, which only `others` may be.
    fn counts(&mut self, rules: &RuleSet, made: &Emitted, frames: &[Vec<u8>]) -> Vec<Option<u64>>;
}

fn sets() -> u64 {
    std::env::var("CSNBENCH_ENGINE_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

/// The ClassBench sets.
fn classbench() -> Vec<(String, RuleSet)> {
    let import = imports::by_name("classbench").expect("the import exists");
    [
        ("acl1", include_str!("../../testdata/classbench/acl1_1k")),
        ("fw1", include_str!("../../testdata/classbench/fw1_1k")),
        ("ipc1", include_str!("../../testdata/classbench/ipc1_1k")),
    ]
    .map(|(name, text)| (name.to_owned(), import.parse(text).rules))
    .into()
}

/// What was compared.
#[derive(Default)]
struct Totals {
    rules: usize,
    lost: usize,
    frames: usize,
    matched: u64,
}

/// Holds an engine against the oracle, or says why it is skipped.
///
/// # Panics
/// Where a count differs, or where so much is declared as lost that little was compared.
pub fn agree(engine: &mut dyn Engine) {
    if let Some(reason) = engine.missing() {
        println!("skipped: {}: {reason}", engine.name());
        return;
    }
    let mut random_totals = Totals::default();
    for seed in 0..sets() {
        let mut random = Random::new(seed);
        let count = 1 + random.below(engine.most_rules());
        let rules = rule_set(&mut random, count, &engine.fields());
        compare(engine, &format!("random set {seed}"), &rules, &mut random, &mut random_totals);
    }
    report(engine, "random sets", &random_totals);
    assert!(random_totals.lost * 2 < random_totals.rules.max(1), "more than half of the rules are lost");
    assert!(random_totals.matched * 4 > random_totals.frames as u64, "few frames match");
    for (name, rules) in classbench() {
        let mut totals = Totals::default();
        let rules = rules.first(engine.most_classbench_rules());
        compare(engine, &name, &rules, &mut Random::new(1), &mut totals);
        report(engine, &name, &totals);
        assert_eq!(totals.lost, 0, "{name}: all rules can be expressed");
    }
}

fn report(engine: &dyn Engine, what: &str, totals: &Totals) {
    let Totals { rules, lost, frames, matched } = totals;
    println!(
        "{}: {what}: {rules} rules, {lost} declared as lost, {frames} frames, {matched} matched",
        engine.name()
    );
}

/// Without the rules that are declared as lost, every count must be that of the oracle.
fn compare(engine: &mut dyn Engine, name: &str, rules: &RuleSet, random: &mut Random, totals: &mut Totals) {
    let mut rules = rules.clone();
    if !engine.tells_classes_apart() {
        rules.classes.truncate(2);
        rules.rules.iter_mut().for_each(|r| r.class = ClassId(1));
    }
    let (kept, made) = lossless(engine.backend(), &rules, &engine.options());
    totals.rules += rules.rules.len();
    totals.lost += rules.rules.len() - kept.rules.len();
    if kept.rules.is_empty() {
        return;
    }
    let outside = made.outside_kinds();
    let frames = draw(engine, &kept, outside, random);
    let mut wanted = vec![0u64; kept.classes.len()];
    for frame in &frames {
        wanted[kept.classify(&packet::parse(frame, None)).class.index()] += 1;
    }
    let counted = engine.counts(&kept, &made, &frames);
    assert_eq!(counted.len(), wanted.len(), "{}: {name}", engine.name());
    for (class, (counted, wanted)) in counted.iter().zip(&wanted).enumerate() {
        assert!(counted.is_some() || class == 0, "{}: {name}: class {class} is not counted", engine.name());
        if counted.is_some_and(|c| c != *wanted) {
            panic!(
                "{}: {name}: class {class}: {counted:?} instead of {wanted}\n{:?}\n{}",
                engine.name(),
                kept.rules
                    .iter()
                    .filter(|r| r.class.index() == class)
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
                made.artefact.chars().take(4000).collect::<String>(),
            );
        }
    }
    totals.frames += frames.len();
    totals.matched += wanted[1..].iter().sum::<u64>();
}

/// The rules that are not declared as lost, and what is made of them: without a loss.
fn lossless(backend: &dyn Backend, rules: &RuleSet, options: &Options) -> (RuleSet, Emitted) {
    let made = backend.emit(rules, options);
    if made.losses.is_empty() {
        return (rules.clone(), made);
    }
    let mut kept = rules.clone();
    let mut place = 0;
    kept.rules.retain(|_| {
        place += 1;
        made.losses.iter().all(|l| l.rule != place - 1)
    });
    let made = backend.emit(&kept, options);
    assert_eq!(made.losses, [], "{}: rules without loss stay so without the others", backend.name());
    (kept, made)
}

/// Frames at the edges of the rules, of kinds that the target declares to see as the notation does.
fn draw(engine: &dyn Engine, rules: &RuleSet, outside: FrameKinds, random: &mut Random) -> Vec<Vec<u8>> {
    let frames = Frames::new(rules);
    let mut out = Vec::with_capacity(FRAMES);
    for _ in 0..FRAMES * DRAWS {
        let mut frame = frames.draw(random).bytes;
        engine.prepare(&mut frame);
        if frame.len() >= 14 && !FrameKinds::of(&frame, None).intersects(outside) && !engine.unseen(&frame) {
            out.push(frame);
        }
        if out.len() == FRAMES {
            break;
        }
    }
    assert_eq!(out.len(), FRAMES, "{}: too many kinds of frames are declared as not seen", engine.name());
    out
}

/// The back end of that name.
pub fn backend(name: &str) -> &'static dyn Backend {
    backends::by_name(name).unwrap_or_else(|| panic!("no back end {name}"))
}
