//! Whole runs on real packets, and their sudden ends.

use super::lab::{eventually, names_of};
use super::oracle::TABLE;
use super::scenario::scenario;
use super::{PROGRAM, alone, lab};
use harness::lab::{Lab, LabOptions, Namespaces};
use harness::progress::Lines;
use harness::run::{Outcome, RunError, RunOptions, Stop, run_on};
use harness::trial::LiveBench;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use reports::record::{Record, Trial};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Tells the victim where to run.
const VICTIM: &str = "CSNBENCH_TEST_RUN";

/// Runs the scenario in a folder.
fn go(out: &Path, resume: bool, stop: &Stop, log: &mut Vec<u8>) -> Result<Outcome, RunError> {
    let lab = LabOptions { program: PROGRAM.into(), ..LabOptions::default() };
    let options = RunOptions { out: out.into(), resume, lab: lab.clone(), ..RunOptions::default() };
    run_on(&scenario(), &options, stop, &mut Lines::new(log), |_| {
        Ok(Box::new(LiveBench::new(Lab::create(&lab)?, PROGRAM.into(), TABLE)))
    })
}

/// The lines of the records that are whole.
fn lines(out: &Path) -> Vec<Record> {
    let text = fs::read_to_string(out.join("records.jsonl")).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|l| serde_json::from_str(l.strip_suffix('\n')?).ok()).collect()
}

fn trials(out: &Path) -> Vec<Trial> {
    lines(out).into_iter().filter_map(|r| if let Record::Trial(t) = r { Some(*t) } else { None }).collect()
}

fn victim(out: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "run::the_victim_runs", "--ignored", "--nocapture"])
        .env(VICTIM, out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "started by other tests, to be stopped and killed"]
fn the_victim_runs() {
    let Ok(out) = std::env::var(VICTIM) else { return };
    let outcome = go(Path::new(&out), false, &Stop::listen().unwrap(), &mut vec![]).unwrap();
    std::process::exit(outcome.exit_code().into());
}

/// Processes whose parent is gone and that were started for a lab or by these tests.
fn orphans() -> Vec<String> {
    let mut found = vec![];
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |what: &str| fs::read_to_string(process.path().join(what)).unwrap_or_default();
        let command = read("cmdline").replace('\0', " ");
        let ours = command.contains("csnbench worker") || command.contains("the_process_of_the_meter");
        if ours && read("status").lines().any(|l| l == "PPid:\t1") {
            found.push(command);
        }
    }
    found
}

/// Goes on with a run, and sees that each trial is there.
fn resume(out: &Path) {
    let before = trials(out);
    let mut log = vec![];
    let outcome = go(out, true, &Stop::default(), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert_eq!(outcome.unsound, 0, "{log}");
    let after = trials(out);
    assert_eq!(after[..before.len()], before);
    let slots: BTreeSet<_> = after.iter().map(|t| (t.point, t.repeat)).collect();
    assert_eq!(slots.len(), 4, "{log}");
    // the ledger closes whatever the machine's noise is
    assert!(after.iter().all(|t| t.ledger.open() == 0 && t.ledger.counted == 5500), "{log}");
    assert!(matches!(lines(out).last(), Some(Record::End { .. })));
}

#[test]
fn a_run_killed_at_any_moment_can_go_on() {
    let _one = alone();
    if lab(Namespaces::Auto).is_none() {
        return;
    }
    // at once, with the head written, after the second trial
    for whole in [0, 1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let mut run = victim(dir.path());
        eventually("the moment comes", || lines(dir.path()).len() >= whole);
        run.kill().unwrap();
        run.wait().unwrap();
        eventually("all processes are gone", || orphans().is_empty());
        eventually("the names are gone", || names_of(run.id()).is_empty());
        resume(dir.path());
    }
}

/// Kills as many runs as `CSNBENCH_KILLS` says (20), each at a random moment, and goes on with each:
/// `cargo test -p harness --test live -- --ignored random_moments --nocapture`.
#[test]
#[ignore = "takes minutes; the moments of the test above are kept in every run of all tests"]
fn a_run_killed_at_random_moments_can_go_on() {
    let _one = alone();
    if lab(Namespaces::Auto).is_none() {
        return;
    }
    let kills = std::env::var("CSNBENCH_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut moments = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(20);
    for n in 1..=kills {
        let dir = tempfile::tempdir().unwrap();
        let mut run = victim(dir.path());
        let moment = std::time::Duration::from_millis(moments.random_range(0..4000));
        std::thread::sleep(moment);
        run.kill().unwrap();
        run.wait().unwrap();
        eventually("all processes are gone", || orphans().is_empty());
        eventually("the names are gone", || names_of(run.id()).is_empty());
        let kept = trials(dir.path()).len();
        resume(dir.path());
        println!("{n}: killed after {moment:?} with {kept} trials on record; gone on to the end");
    }
}

#[test]
fn a_signal_ends_a_run_in_order() {
    let _one = alone();
    if lab(Namespaces::Auto).is_none() {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut run = victim(dir.path());
        eventually("two trials are on record", || trials(dir.path()).len() == 2);
        kill(Pid::from_raw(run.id() as i32), signal).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(1));
        // all is gone when the program is
        assert_eq!(orphans(), Vec::<String>::new());
        assert_eq!(names_of(run.id()), Vec::<String>::new());
        assert_eq!(trials(dir.path()).len(), 2);
        resume(dir.path());
    }
}
