//! The run loop on a simulated bench: order, records, retries, resumption, skips. No network, no real time.

use csn::{Axis, Class, ClassId, Field, MeterSpec, Range, Rule, Scenario, Span, ValueSet};
use harness::lab::LabOptions;
use harness::run::{Event, Observer, Outcome, RunError, RunOptions, Stop, run_on};
use harness::trial::{Bench, Measured, Task, TrialError};
use reports::record::{self, Record, Skip, Trial};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// What the simulated bench does in its `n`-th trial, the warm-up included.
type Script = Box<dyn FnMut(u32, &Task<'_>) -> Result<Measured, TrialError>>;

struct Simulated {
    lab: record::Lab,
    script: Script,
    calls: u32,
}

impl Bench for Simulated {
    fn lab(&self) -> &record::Lab {
        &self.lab
    }

    fn prepare(&self, spec: &MeterSpec, _: &csn::RuleSet) -> Result<String, Skip> {
        match spec.name.as_str() {
            "missing" => Err(Skip {
                what: "missing".into(),
                reason: "not installed".into(),
                cure: "apt install missing".into(),
            }),
            _ => Ok("1.0".into()),
        }
    }

    fn trial(
        &mut self,
        task: &Task<'_>,
        watch: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Measured, TrialError> {
        watch().map_err(|_| TrialError::Interrupted)?;
        std::fs::write(task.folder.join("loaded"), task.loaded.to_string()).unwrap();
        self.calls += 1;
        (self.script)(self.calls - 1, task)
    }
}

/// A trial without a fault.
fn good(task: &Task<'_>) -> Measured {
    let ledger = record::Ledger { offered: 10, counted: 10, ..Default::default() };
    let trial = Trial { ledger, expected_comparisons: task.loaded as f64, ..Trial::default() };
    Measured { trial, noise: false, broken: false }
}

/// A trial that noise spoiled.
fn noisy(task: &Task<'_>) -> Measured {
    let mut out = good(task);
    out.trial.invalid.push("rate missed".into());
    out.noise = true;
    out
}

#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Skipped(skip) => self.0.push(format!("skipped {}", skip.what)),
            Event::WarmUp => self.0.push("warm-up".into()),
            Event::Started(step) => self.0.push(format!("{}#{}", step.point, step.repeat)),
            Event::Note(text) => self.0.push(text.clone()),
            _ => {}
        }
    }
}

/// Three rules, three points per meter.
fn scenario(meters: &[&str]) -> Scenario {
    let mut s = Scenario::default();
    for n in 1..=3 {
        s.rules.classes.push(Class { number: n, name: None, span: Span::default() });
        let ports = ValueSet::from_ranges([Range::numbers(u128::from(n), u128::from(n))]);
        s.rules.rules.push(Rule {
            class: ClassId(n),
            tests: vec![(Field::DstPort, ports)],
            both: false,
            span: Span::default(),
        });
    }
    let meter = |name: &&str| MeterSpec { name: name.to_string(), options: vec![], span: Span::default() };
    s.experiment.meters = meters.iter().map(meter).collect();
    s.experiment.vary = vec![Axis::Rules(vec![0, 1, 3])];
    s.experiment.run.repeat = 2;
    s
}

fn options(out: &Path, resume: bool) -> RunOptions {
    RunOptions {
        out: out.into(),
        text: "text".into(),
        resume,
        lab: LabOptions::default(),
        ..Default::default()
    }
}

struct Ran {
    result: Result<Outcome, RunError>,
    log: Vec<String>,
}

fn go(
    scenario: &Scenario,
    options: &RunOptions,
    stop: &Stop,
    script: impl FnMut(u32, &Task<'_>) -> Result<Measured, TrialError> + 'static,
) -> Ran {
    let mut log = Log::default();
    let result = run_on(scenario, options, stop, &mut log, |_| {
        Ok(Box::new(Simulated { lab: record::Lab::default(), script: Box::new(script), calls: 0 }))
    });
    Ran { result, log: log.0 }
}

fn records(out: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(out.join("records.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn trials(out: &Path) -> Vec<Trial> {
    let trial = |r| if let Record::Trial(t) = r { Some(*t) } else { None };
    records(out).into_iter().filter_map(trial).collect()
}

#[test]
fn every_point_gets_its_repeats_in_rounds_after_a_warm_up() {
    let dir = tempfile::tempdir().unwrap();
    let ran =
        go(&scenario(&["rtfm"]), &options(dir.path(), false), &Stop::default(), |_, task| Ok(good(task)));
    let outcome = ran.result.unwrap();
    assert_eq!((outcome.valid, outcome.invalid, outcome.exit_code()), (6, 0, 0));
    assert_eq!(ran.log[0], "warm-up");
    assert_eq!(ran.log.len(), 7);
    let trials = trials(dir.path());
    for (i, t) in trials.iter().enumerate() {
        assert_eq!((t.index as usize, t.repeat as usize), (i, i / 3));
        assert_eq!(t.x["rules"], t.expected_comparisons);
        assert_eq!((t.at["meter"].as_str(), t.meter_version.as_str()), ("rtfm", "1.0"));
    }
    let all = records(dir.path());
    let Record::Run(head) = &all[0] else { panic!("{:?}", all[0]) };
    assert_eq!((head.planned, head.repeat, head.classes.len()), (6, 2, 4));
    assert_eq!(head.axes, [("rules".to_string(), vec!["0".to_string(), "1".into(), "3".into()])]);
    assert!(matches!(all.last(), Some(Record::End { skipped, .. }) if skipped.is_empty()));
    // what the meters loaded is kept, once per point
    let kept = std::fs::read_to_string(dir.path().join("rules/002-rtfm-rules-3/loaded")).unwrap();
    assert_eq!(kept, "3");
    assert_eq!(std::fs::read_dir(dir.path().join("rules")).unwrap().count(), 3);
}

#[test]
fn a_point_is_measured_until_its_median_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = scenario(&["rtfm"]);
    (s.experiment.run.repeat, s.experiment.run.within) = (12, Some(0.02));
    let ran = go(&s, &options(dir.path(), false), &Stop::default(), |n, task| {
        let mut out = good(task);
        // with three rules the cost is all over the place
        out.trial.cpu.total = if task.loaded == 3 { 1000 + u64::from(n) * 50 } else { 1000 };
        Ok(out)
    });
    assert_eq!(ran.result.unwrap().exit_code(), 0);
    let of = |point: u32| trials(dir.path()).iter().filter(|t| t.point == point).count();
    assert_eq!((of(0), of(1), of(2)), (6, 6, 12));
}

#[test]
fn the_seed_decides_the_order() {
    let order = |seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        let mut s = scenario(&["rtfm"]);
        (s.experiment.run.seed, s.experiment.run.repeat) = (seed, 5);
        go(&s, &options(dir.path(), false), &Stop::default(), |_, task| Ok(good(task))).log
    };
    assert_eq!(order(1), order(1));
    assert!((2..6).any(|seed| order(seed) != order(1)));
}

#[test]
fn noise_is_tried_again_at_the_end_and_given_up_after_two_more() {
    let dir = tempfile::tempdir().unwrap();
    // the first real trial is spoiled once; all trials of one point always
    let both = scenario(&["rtfm", "other"]);
    let ran = go(&both, &options(dir.path(), false), &Stop::default(), |n, task| {
        let always = task.loaded == 3 && task.spec.name == "rtfm";
        Ok(if n == 1 || always { noisy(task) } else { good(task) })
    });
    let outcome = ran.result.unwrap();
    assert_eq!(outcome.without_result, ["rtfm, rules 3"]);
    assert_eq!((outcome.valid, outcome.exit_code(), outcome.unsound), (10, 101, 0));
    let mut attempts: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    trials(dir.path()).iter().for_each(|t| *attempts.entry((t.point, t.repeat)).or_default() += 1);
    assert_eq!((attempts[&(2, 0)], attempts[&(2, 1)]), (3, 3));
    assert!(trials(dir.path())[12..].iter().all(|t| t.point == 2 || t.repeat == 0));
}

#[test]
fn a_machine_that_is_always_noisy_does_not_hold_the_run_up_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let ran =
        go(&scenario(&["rtfm"]), &options(dir.path(), false), &Stop::default(), |_, task| Ok(noisy(task)));
    assert_eq!(ran.result.unwrap().exit_code(), 101);
    assert_eq!(trials(dir.path()).len(), 6 + 3);
}

#[test]
fn wrong_counts_are_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let ran = go(&scenario(&["rtfm"]), &options(dir.path(), false), &Stop::default(), |n, task| {
        let mut out = good(task);
        if n == 2 {
            out.trial.invalid.push("the ledger does not close".into());
        }
        Ok(out)
    });
    let outcome = ran.result.unwrap();
    assert_eq!((trials(dir.path()).len(), outcome.unsound, outcome.exit_code()), (6, 1, 101));
}

#[test]
fn a_meter_that_is_not_there_is_skipped_with_its_cure() {
    let dir = tempfile::tempdir().unwrap();
    let both = scenario(&["missing", "rtfm"]);
    let ran = go(&both, &options(dir.path(), false), &Stop::default(), |_, task| Ok(good(task)));
    assert_eq!(ran.log[0], "skipped missing");
    let outcome = ran.result.unwrap();
    assert_eq!((outcome.skipped.len(), outcome.valid, outcome.exit_code()), (1, 6, 0));
    let all = records(dir.path());
    let Some(Record::End { skipped, .. }) = all.last() else { panic!() };
    assert_eq!(skipped[0].cure, "apt install missing");

    let alone = tempfile::tempdir().unwrap();
    let ran = go(&scenario(&["missing"]), &options(alone.path(), false), &Stop::default(), |_, _| panic!());
    assert_eq!(ran.result.unwrap().exit_code(), 77);
}

#[test]
fn a_point_that_turns_out_not_to_run_is_left_out_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ran = go(&scenario(&["rtfm"]), &options(dir.path(), false), &Stop::default(), |_, task| {
        if task.loaded == 3 {
            let reason = "rule 3 can't be expressed".into();
            return Err(TrialError::Skip(Skip { what: "rtfm".into(), reason, cure: String::new() }));
        }
        Ok(good(task))
    });
    let outcome = ran.result.unwrap();
    assert_eq!((outcome.valid, outcome.skipped[0].what.as_str()), (4, "rtfm, rules 3"));
}

#[test]
fn an_interrupted_run_goes_on_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let s = scenario(&["rtfm"]);
    let whole = tempfile::tempdir().unwrap();
    let undisturbed = go(&s, &options(whole.path(), false), &Stop::default(), |_, task| Ok(good(task))).log;
    for (first, resume) in [(true, false), (false, true)] {
        let ran = go(&s, &options(dir.path(), resume), &Stop::default(), move |n, task| {
            if first && n == 3 { Err(TrialError::Interrupted) } else { Ok(good(task)) }
        });
        let outcome = ran.result.unwrap();
        assert_eq!((outcome.interrupted, outcome.exit_code()), (first, u8::from(first)));
        // warm-up, two trials and the start of a third; then warm-up and the four that are missing
        let expected = if first { &undisturbed[..4] } else { &undisturbed[3..] };
        let log: Vec<_> = ran.log.iter().filter(|l| first || *l != "warm-up").collect();
        assert_eq!(log, expected.iter().collect::<Vec<_>>());
    }
    assert_eq!(trials(dir.path()).iter().map(|t| t.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert!(records(dir.path()).iter().any(|r| matches!(r, Record::Resume { .. })));
    // a third time there is nothing to do, and nothing is added
    let before = records(dir.path()).len();
    let ran = go(&s, &options(dir.path(), true), &Stop::default(), |_, _| panic!());
    assert_eq!(ran.result.unwrap().exit_code(), 0);
    assert_eq!(records(dir.path()).len(), before);
}

#[test]
fn a_run_that_died_while_it_wrote_loses_that_trial_only() {
    let dir = tempfile::tempdir().unwrap();
    let s = scenario(&["rtfm"]);
    // the machine fails in the fourth trial
    let ran = go(&s, &options(dir.path(), false), &Stop::default(), |n, task| {
        if n == 4 { Err(TrialError::Generator("gone".into())) } else { Ok(good(task)) }
    });
    assert_eq!(ran.result.unwrap_err().exit_code(), 1);
    let path = dir.path().join("records.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 20);
    std::fs::write(&path, bytes).unwrap();
    let ran = go(&s, &options(dir.path(), true), &Stop::default(), |_, task| Ok(good(task)));
    assert!(ran.log[0].starts_with("dropped "), "{:?}", ran.log);
    assert_eq!(ran.result.unwrap().valid, 6);
}

#[test]
fn a_run_is_not_overwritten_nor_continued_as_another() {
    let dir = tempfile::tempdir().unwrap();
    let s = scenario(&["rtfm"]);
    go(&s, &options(dir.path(), false), &Stop::default(), |_, task| Ok(good(task))).result.unwrap();
    let again = go(&s, &options(dir.path(), false), &Stop::default(), |_, _| panic!());
    let error = again.result.unwrap_err();
    assert!(error.to_string().contains("--resume"), "{error}");
    assert_eq!(error.exit_code(), 64);
    let mut changed = options(dir.path(), true);
    changed.text = "other".into();
    let other = go(&s, &changed, &Stop::default(), |_, _| panic!()).result.unwrap_err();
    assert!(other.to_string().contains("the scenario's text has changed"), "{other}");
    let mut quick = options(dir.path(), true);
    quick.quick = true;
    assert!(go(&s, &quick, &Stop::default(), |_, _| panic!()).result.is_err());
}

/// A trial of a meter that takes 400,000 packets/s, sent by a generator that reaches 2,000,000.
fn limited(task: &Task<'_>) -> Measured {
    let pps = match task.setting.rate {
        csn::RateSpec::Fixed(csn::Rate::Pps(pps)) => pps,
        _ => 2_000_000.0,
    };
    let seconds = task.time.as_secs_f64();
    let sent = (pps * seconds).round() as u64;
    let counted = sent.min((400_000.0 * seconds) as u64);
    let mut out = good(task);
    out.trial.offered = record::Offered {
        intended_pps: Some(pps),
        achieved_pps: pps,
        planned: sent,
        accepted: sent,
        ..Default::default()
    };
    out.trial.ledger =
        record::Ledger { offered: sent, socket: sent - counted, counted, ..Default::default() };
    out.trial.classes = vec![record::ClassCount { class: "1".into(), sent, filtered: 0, counted }];
    out
}

/// One point that is searched twice.
fn searched() -> Scenario {
    let mut s = scenario(&["rtfm"]);
    s.experiment.vary = vec![];
    let loss = [0.0, 0.01].into_iter().collect();
    s.experiment.run.rate = csn::RateSpec::Search(csn::Search { loss, ..Default::default() });
    s.experiment.run.time = csn::Nanos::from_secs(1);
    s
}

fn searches(out: &Path) -> Vec<record::Search> {
    let search = |r| if let Record::Search(s) = r { Some(*s) } else { None };
    records(out).into_iter().filter_map(search).collect()
}

#[test]
fn a_search_finds_its_rates_and_every_trial_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let ran = go(&searched(), &options(dir.path(), false), &Stop::default(), |_, task| Ok(limited(task)));
    let outcome = ran.result.unwrap();
    assert_eq!((outcome.exit_code(), outcome.without_result.len()), (0, 0));
    let (searches, trials) = (searches(dir.path()), trials(dir.path()));
    assert_eq!(searches.len(), 2);
    for s in &searches {
        let [zero, one] = s.goals.as_slice() else { panic!("{s:?}") };
        assert!((396_000.0..=400_000.0).contains(&zero.lower.unwrap()), "{zero:?}");
        assert!((400_000.0 / 0.99 - 4_100.0..=400_000.0 / 0.99 + 1.0).contains(&one.lower.unwrap()));
        assert!(zero.irregular.is_empty() && one.irregular.is_empty(), "{s:?}");
        assert_eq!((s.max_pps, s.max_measured), (1_960_000.0, true));
        for (i, step) in s.path.iter().enumerate() {
            let trial = &trials[step.trial as usize];
            assert_eq!((trial.step, trial.repeat), (Some(i as u32), s.repeat));
        }
    }
    assert_eq!(trials.len(), searches.iter().map(|s| s.path.len()).sum::<usize>());
    let stored = reports::store::Stored::read(std::io::BufReader::new(
        std::fs::File::open(dir.path().join("records.jsonl")).unwrap(),
    ))
    .unwrap();
    let summary = reports::summary::Summary::of(&stored);
    assert_eq!(summary.throughputs.len(), 2);
    assert!(summary.findings[0].contains("without loss"), "{:?}", summary.findings);
    // medians are taken of the trials at the rates that were found
    assert_eq!(summary.trials.len(), 2);
}

#[test]
fn an_interrupted_search_goes_on_where_it_was() {
    let whole = tempfile::tempdir().unwrap();
    let run = |dir: &Path, resume, stop_at: u32| {
        go(&searched(), &options(dir, resume), &Stop::default(), move |n, task| {
            if n == stop_at { Err(TrialError::Interrupted) } else { Ok(limited(task)) }
        })
    };
    assert_eq!(run(whole.path(), false, u32::MAX).result.unwrap().exit_code(), 0);
    let path = |dir: &Path| searches(dir).into_iter().map(|s| s.path).collect::<Vec<_>>();
    for stop_at in [1, 2, 7, 20] {
        let dir = tempfile::tempdir().unwrap();
        assert!(run(dir.path(), false, stop_at).result.unwrap().interrupted);
        assert_eq!(run(dir.path(), true, u32::MAX).result.unwrap().exit_code(), 0);
        assert_eq!(path(dir.path()), path(whole.path()), "stopped at {stop_at}");
        assert_eq!(trials(dir.path()).len(), trials(whole.path()).len());
    }
}

#[test]
fn a_disturbed_step_is_tried_again_and_a_meter_that_fails_ends_the_search() {
    let dir = tempfile::tempdir().unwrap();
    let ran = go(&searched(), &options(dir.path(), false), &Stop::default(), |n, task| {
        let mut out = limited(task);
        if n == 3 {
            out.trial.invalid.push("the sender stood still".into());
            out.noise = true;
        }
        Ok(out)
    });
    assert_eq!(ran.result.unwrap().exit_code(), 0);
    let (found, trials) = (searches(dir.path()), trials(dir.path()));
    assert_eq!(trials.len(), found.iter().map(|s| s.path.len()).sum::<usize>() + 1);
    assert!(found.iter().all(|s| s.path.iter().all(|step| !step.disturbed)));

    let broken = tempfile::tempdir().unwrap();
    let ran = go(&searched(), &options(broken.path(), false), &Stop::default(), |_, task| {
        let mut out = limited(task);
        out.trial.invalid.push("the meter failed".into());
        out.broken = true;
        Ok(out)
    });
    assert_eq!(ran.result.unwrap().exit_code(), 101);
    assert!(searches(broken.path()).iter().all(|s| s.invalid == ["the meter failed"]));
}

#[test]
fn trials_know_their_length_and_the_warm_up_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = scenario(&["rtfm"]);
    s.experiment.run.time = csn::Nanos::from_secs(3);
    let times = Rc::new(RefCell::new(vec![]));
    let seen = Rc::clone(&times);
    go(&s, &options(dir.path(), false), &Stop::default(), move |_, task| {
        seen.borrow_mut().push(task.time.as_secs_f64());
        Ok(good(task))
    });
    assert_eq!(times.borrow()[..3], [1.0, 3.0, 3.0]);
}
