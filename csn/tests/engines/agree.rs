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

    /// How many jobs are done at once: more than one for engines that mostly wait.
    fn at_once(&self) -> usize {
        1
    }

    /// Lets the engine classify the frames of a job. The answer is its packets of every class, by their place in the
    /// job's `rules.classes`; none where it does not count a class, which only `others` may be.
    fn counts(&mut self, job: &Job) -> Vec<Option<u64>>;

    /// The same for up to [`Engine::at_once`] jobs.
    fn counts_of_all(&mut self, jobs: &[Job]) -> Vec<Vec<Option<u64>>> {
        jobs.iter().map(|job| self.counts(job)).collect()
    }
}

/// Rules for an engine, and the frames that it is shown.
pub struct Job {
    /// What it is, in messages.
    name: String,
    /// The rules that can be expressed.
    pub rules: RuleSet,
    /// What the back end made of them.
    pub made: Emitted,
    /// Frames.
    pub frames: Vec<Vec<u8>>,
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
    let mut totals = Totals::default();
    let seeds: Vec<u64> = (0..sets()).collect();
    for seeds in seeds.chunks(engine.at_once()) {
        let jobs: Vec<Job> = seeds.iter().filter_map(|seed| random_job(engine, *seed, &mut totals)).collect();
        compare(engine, &jobs, &mut totals);
    }
    report(engine, "random sets", &totals);
    assert!(totals.lost * 2 < totals.rules.max(1), "more than half of the rules are lost");
    assert!(totals.matched * 4 > totals.frames as u64, "few frames match");
    for (name, rules) in classbench() {
        let mut totals = Totals::default();
        let rules = rules.first(engine.most_classbench_rules());
        let job = job(engine, &name, &rules, &mut Random::new(1), &mut totals);
        compare(engine, job.as_slice(), &mut totals);
        report(engine, &name, &totals);
        assert_eq!(totals.lost, 0, "{name}: all rules can be expressed");
    }
}

fn random_job(engine: &dyn Engine, seed: u64, totals: &mut Totals) -> Option<Job> {
    let mut random = Random::new(seed);
    let count = 1 + random.below(engine.most_rules());
    let rules = rule_set(&mut random, count, &engine.fields());
    job(engine, &format!("random set {seed}"), &rules, &mut random, totals)
}

fn report(engine: &dyn Engine, what: &str, totals: &Totals) {
    let Totals { rules, lost, frames, matched } = totals;
    println!(
        "{}: {what}: {rules} rules, {lost} declared as lost, {frames} frames, {matched} matched",
        engine.name()
    );
}

/// What is left of the rules without those that are declared as lost, and frames for it; none where nothing is left.
fn job(
    engine: &dyn Engine,
    name: &str,
    rules: &RuleSet,
    random: &mut Random,
    totals: &mut Totals,
) -> Option<Job> {
    let mut rules = rules.clone();
    if !engine.tells_classes_apart() {
        rules.classes.truncate(2);
        rules.rules.iter_mut().for_each(|r| r.class = ClassId(1));
    }
    let (kept, made) = lossless(engine.backend(), &rules, &engine.options());
    totals.rules += rules.rules.len();
    totals.lost += rules.rules.len() - kept.rules.len();
    if kept.rules.is_empty() {
        return None;
    }
    let frames = draw(engine, &kept, made.outside_kinds(), random);
    Some(Job { name: name.to_owned(), rules: kept, made, frames })
}

/// Every count must be that of the oracle.
fn compare(engine: &mut dyn Engine, jobs: &[Job], totals: &mut Totals) {
    let counted = engine.counts_of_all(jobs);
    for (job, counted) in jobs.iter().zip(counted) {
        check(engine, job, &counted, totals);
    }
}

fn check(engine: &dyn Engine, job: &Job, counted: &[Option<u64>], totals: &mut Totals) {
    let Job { name, rules, made, frames } = job;
    let mut wanted = vec![0u64; rules.classes.len()];
    for frame in frames {
        wanted[rules.classify(&packet::parse(frame, None)).class.index()] += 1;
    }
    assert_eq!(counted.len(), wanted.len(), "{}: {name}", engine.name());
    for (class, (counted, wanted)) in counted.iter().zip(&wanted).enumerate() {
        assert!(counted.is_some() || class == 0, "{}: {name}: class {class} is not counted", engine.name());
        if counted.is_some_and(|c| c != *wanted) {
            let own = rules.rules.iter().filter(|r| r.class.index() == class);
            panic!(
                "{}: {name}: class {class}: {counted:?} instead of {wanted}\n{:?}\n{}",
                engine.name(),
                own.map(ToString::to_string).collect::<Vec<_>>(),
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
