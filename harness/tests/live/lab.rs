//! The lab on this machine: what it makes, and that nothing of it stays, whatever ends it.

use super::{PROGRAM, alone, lab};
use harness::lab::{GENERATOR_INTERFACE, Helper, METER_INTERFACE, Namespaces, Place};
use meters::Launch;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the victim, which the tests start and kill, what to make.
const VICTIM: &str = "CSNBENCH_TEST_VICTIM";

/// The kinds of lab that can be tried here.
fn kinds() -> Vec<Namespaces> {
    if nix::unistd::geteuid().is_root() {
        vec![Namespaces::User, Namespaces::Named]
    } else {
        println!("skipped: named namespaces: not root");
        vec![Namespaces::User]
    }
}

fn sh(place: &Place, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(Stdio::piped());
    let out = place.spawn(command).unwrap().wait_with_output().unwrap();
    assert!(out.status.success(), "{script}: {out:?}");
    String::from_utf8(out.stdout).unwrap()
}

fn sleeper(place: &Place) -> Child {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(Stdio::null());
    place.spawn(command).unwrap()
}

pub fn network_of(pid: u32) -> String {
    fs::read_link(format!("/proc/{pid}/ns/net")).unwrap().display().to_string()
}

/// Whether any process lives in a network namespace.
pub fn inhabited(network: &str) -> bool {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .any(|p| fs::read_link(p.path().join("ns/net")).is_ok_and(|n| n.display().to_string() == network))
}

pub fn names_of(pid: u32) -> Vec<String> {
    let prefix = format!("csnbench-{pid}-");
    let Ok(folder) = fs::read_dir("/run/netns") else { return vec![] };
    folder
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with(&prefix))
        .collect()
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn both_sides_have_their_interface_and_nothing_is_on_it() {
    let _one = alone();
    for kind in kinds() {
        let Some(mut lab) = lab(kind) else { continue };
        let generator = sh(lab.generator(), "cat /proc/net/dev");
        let meter = sh(lab.meter(), "cat /proc/net/dev");
        assert!(
            generator.contains(GENERATOR_INTERFACE) && !generator.contains(METER_INTERFACE),
            "{generator}"
        );
        assert!(meter.contains(METER_INTERFACE) && !meter.contains(GENERATOR_INTERFACE), "{meter}");
        // no neighbour discovery, no router solicitation: the ledger counts packets exactly
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(lab.counters().unwrap(), Default::default(), "{kind:?}");
        let facts = lab.facts();
        assert_eq!(facts.kind, if kind == Namespaces::User { "user namespace" } else { "named namespaces" });
        assert_eq!(facts.receive_work, "sender", "{facts:?}");
    }
}

#[test]
fn processes_run_on_the_cpu_of_their_side() {
    let _one = alone();
    let Some(lab) = lab(Namespaces::User) else { return };
    for place in [lab.generator(), lab.meter()] {
        let status = sh(place, "cat /proc/self/status");
        let list = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(list.trim(), place.cpu().unwrap().to_string());
    }
}

#[test]
fn nothing_stays_when_a_lab_is_dropped() {
    let _one = alone();
    for kind in kinds() {
        let Some(lab) = lab(kind) else { continue };
        let mut child = sleeper(lab.meter());
        let network = network_of(child.id());
        assert_ne!(network, network_of(std::process::id()));
        let me = std::process::id();
        assert_eq!(names_of(me).len(), if kind == Namespaces::Named { 2 } else { 0 });
        child.kill().unwrap();
        child.wait().unwrap();
        drop(lab);
        assert_eq!(names_of(me), Vec::<String>::new());
        assert!(!inhabited(&network), "{kind:?}");
    }
}

#[test]
fn a_panic_takes_the_lab_with_it() {
    let _one = alone();
    let Some(probe) = lab(Namespaces::Auto) else { return };
    drop(probe);
    let seen = std::thread::spawn(|| {
        let lab = lab(Namespaces::Auto).unwrap();
        // not waited for: it ends with the thread
        #[expect(clippy::zombie_processes)]
        let child = sleeper(lab.meter());
        let network = network_of(child.id());
        std::panic::panic_any(network);
    })
    .join()
    .unwrap_err();
    let network = seen.downcast::<String>().unwrap();
    eventually("the namespace is empty", || !inhabited(&network));
    assert_eq!(names_of(std::process::id()), Vec::<String>::new());
}

/// Starts the victim, and gives it, its meter process and that one's namespace.
fn victim(kind: Namespaces) -> (Child, u32, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lab::the_victim_makes_a_lab_and_waits", "--ignored", "--nocapture"])
        .env(VICTIM, format!("{kind:?}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find_map(|l| l.split_once("victim: ").map(|(_, rest)| rest.to_string()))
        .expect("the victim makes a lab");
    let (pid, network) = line.split_once(' ').unwrap();
    (child, pid.parse().unwrap(), network.into())
}

#[test]
#[ignore = "started by other tests, to be killed"]
fn the_victim_makes_a_lab_and_waits() {
    let Ok(kind) = std::env::var(VICTIM) else { return };
    let kind = if kind == "Named" { Namespaces::Named } else { Namespaces::User };
    let lab = lab(kind).unwrap();
    // not waited for: it ends with this process
    #[expect(clippy::zombie_processes)]
    let child = sleeper(lab.meter());
    println!("\nvictim: {} {}", child.id(), network_of(child.id()));
    std::thread::sleep(Duration::from_secs(1000));
}

#[test]
fn nothing_stays_when_the_run_is_killed() {
    let _one = alone();
    for kind in kinds() {
        if lab(kind).is_none() {
            continue;
        }
        let (mut run, meter, network) = victim(kind);
        run.kill().unwrap();
        run.wait().unwrap();
        eventually("the meter is gone", || !Path::new(&format!("/proc/{meter}")).exists());
        eventually("the namespace is empty", || !inhabited(&network));
        eventually("the names are gone", || names_of(run.id()).is_empty());
    }
}

#[test]
fn the_next_lab_removes_what_a_killed_holder_left() {
    let _one = alone();
    if !kinds().contains(&Namespaces::Named) || lab(Namespaces::Named).is_none() {
        return;
    }
    let (mut run, _, network) = victim(Namespaces::Named);
    // the holder is the other process in the meter's namespace
    let run_id = run.id();
    let holder = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|p| p.file_name().to_string_lossy().parse::<u32>().ok())
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|n| n.display().to_string() == network)
        })
        .find(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.contains("worker")))
        .unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(holder as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(names_of(run_id).len(), 2);
    let next = lab(Namespaces::Named).unwrap();
    let mut removed = next.removed().to_vec();
    removed.retain(|n| n.starts_with(&format!("csnbench-{run_id}-")));
    assert_eq!(removed.len(), 2);
    assert_eq!(names_of(run_id), Vec::<String>::new());
}

#[test]
fn a_worker_that_nobody_talks_to_ends() {
    let mut command = Command::new(PROGRAM);
    command.args(["worker", "generate"]);
    Helper::pipes(&mut command);
    let start = Instant::now();
    drop(Helper::new(command.spawn().unwrap(), Duration::from_secs(10)).unwrap());
    assert!(start.elapsed() < Duration::from_secs(5));
}
