//! `csnbench compare` as CI calls it: exit codes and what is printed, on a stored run and altered copies of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const STORED: &str = include_str!("../../reports/testdata/v1-number-of-rules.jsonl");

/// A folder with the stored run, each record altered.
fn folder(dir: &Path, name: &str, alter: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let folder = dir.join(name);
    std::fs::create_dir(&folder).unwrap();
    let lines = STORED.lines().map(|line| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        alter(&mut record);
        record.to_string() + "\n"
    });
    std::fs::write(folder.join("records.jsonl"), lines.collect::<String>()).unwrap();
    folder
}

/// Makes every trial's CPU times larger.
fn slower(factor: f64) -> impl Fn(&mut serde_json::Value) {
    move |record| {
        if record["record"] == "trial" {
            for time in ["total", "user", "system"] {
                let cost = record["cpu"][time].as_u64().unwrap() as f64;
                record["cpu"][time] = ((cost * factor) as u64).into();
            }
        }
    }
}

fn compare(args: &[&Path], flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_csnbench")).arg("compare").args(args).args(flags).output().unwrap()
}

fn code(args: &[&Path], flags: &[&str]) -> i32 {
    compare(args, flags).status.code().unwrap()
}

#[test]
fn the_gate_s_exit_codes_are_those_of_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let base = folder(dir.path(), "base", |_| {});
    let same = folder(dir.path(), "same", slower(1.001));
    let slow = folder(dir.path(), "slow", slower(1.3));
    let noisy = folder(dir.path(), "noisy", |r| {
        if r["record"] == "trial" {
            r["invalid"] = serde_json::json!(["rate missed"]);
        }
    });
    let other = folder(dir.path(), "other", |r| {
        if r["record"] == "run" {
            r["rules_hash"] = "0".into();
        }
    });
    assert_eq!(code(&[&base, &same], &["--gate"]), 0);
    assert_eq!(code(&[&base, &slow], &["--gate"]), 100);
    assert_eq!(code(&[&slow, &base], &["--gate"]), 0);
    assert_eq!(code(&[&base, &slow], &["--gate", "--threshold", "40%"]), 0);
    assert_eq!(code(&[&base, &slow, Path::new("--confirm"), &slow], &["--gate"]), 100);
    assert_eq!(code(&[&base, &slow, Path::new("--confirm"), &same], &["--gate"]), 0);
    assert_eq!(code(&[&base, &noisy], &["--gate"]), 101);
    assert_eq!(code(&[&other, &base], &["--gate"]), 102);
    assert_eq!(code(&[&dir.path().join("none"), &base], &["--gate"]), 102);
    // without a gate it only shows
    assert_eq!(code(&[&base, &slow], &[]), 0);
    assert_eq!(code(&[&other, &base], &[]), 65);
    assert_eq!(code(&[&base], &[]), 64);
}

#[test]
fn people_and_programs_get_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let base = folder(dir.path(), "base", |_| {});
    let slow = folder(dir.path(), "slow", slower(1.3));
    let shown = compare(&[&base, &slow], &[]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("REGRESSION") && text.contains("1.3"), "{text}");
    let json = compare(&[&base, &slow], &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["verdict"], "regression");
    let markdown = String::from_utf8(compare(&[&base, &slow], &["--markdown"]).stdout).unwrap();
    assert!(markdown.starts_with("# ") && markdown.contains("| REGRESSED |"), "{markdown}");
}

fn history(db: &Path, args: &[&str], folders: &[&Path]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csnbench"));
    let output = command.arg("history").arg(db).arg(args[0]).args(folders).args(&args[1..]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_history_is_a_baseline_and_shows_where_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("bench.db");
    let factors = [1.0, 1.004, 0.997, 1.002, 1.3, 1.297, 1.303, 1.3];
    for (i, factor) in factors.into_iter().enumerate() {
        let alter = slower(factor);
        let run = folder(dir.path(), &format!("run{i}"), |record| {
            if record["record"] == "run" {
                record["time"] = (1e9 + i as f64 * 86_400.0).into();
            }
            alter(record);
        });
        history(&db, &["add", "--label", &format!("v{i}")], &[&run]);
    }
    assert_eq!(history(&db, &["list"], &[]).lines().count(), factors.len());
    let title = {
        let list = history(&db, &["list", "--json"], &[]);
        let first: serde_json::Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
        first["title"].as_str().unwrap().to_owned()
    };
    let shown = history(&db, &["show", &title], &[]);
    assert!(shown.contains("changed at v4 of 2001-09-13"), "{shown}");
    assert!(!shown.contains("changed at v5") && !shown.contains("changed at v2"), "{shown}");
    // the newest five are four slow runs and one of before: as slow as those is no regression, slower still is
    let same = folder(dir.path(), "same", slower(1.301));
    let slow = folder(dir.path(), "slow", slower(1.7));
    assert_eq!(code(&[&db, &same], &["--gate"]), 0);
    assert_eq!(code(&[&db, &slow], &["--gate"]), 100);
    let other = folder(dir.path(), "other", |r| {
        if r["record"] == "run" {
            r["rules_hash"] = "0".into();
        }
    });
    assert_eq!(code(&[&db, &other], &["--gate"]), 102);
}
