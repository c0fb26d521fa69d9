//! What other programs read: each export of a stored run has the shape that its reader asks for, and the numbers of
//! the summary.

use reports::formats;
use reports::store::Stored;
use reports::summary::{Metric, Summary};
use serde_json::Value;

fn summary() -> Summary {
    let stored = Stored::read(&include_bytes!("../testdata/v1-number-of-rules.jsonl")[..]).unwrap();
    Summary::of(&stored)
}

fn text(format: &str, summary: &Summary) -> String {
    let mut out = Vec::new();
    formats::find(format).unwrap().documents(summary)[0].write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(format: &str, summary: &Summary) -> Value {
    serde_json::from_str(&text(format, summary)).unwrap()
}

#[test]
fn bencher_gets_a_value_between_its_bounds_for_every_usable_point() {
    let s = summary();
    let all = json("bencher", &s);
    let benchmarks = all.as_object().unwrap();
    assert_eq!(benchmarks.len(), s.points.iter().filter(|p| p.usable()).count());
    for measures in benchmarks.values() {
        let cpu = &measures["total-ns"];
        let [low, value, high] = ["lower_value", "value", "upper_value"].map(|k| cpu[k].as_f64().unwrap());
        assert!(low <= value && value <= high && value > 0.0);
    }
}

#[test]
fn a_point_without_enough_valid_trials_is_not_handed_on() {
    let mut s = summary();
    s.points[0].valid = 0;
    let gone = format!(": {}", s.name(&s.points[0]));
    for format in ["bencher", "github-smaller", "github-bigger", "hyperfine"] {
        assert!(!text(format, &s).contains(&gone), "{format}");
    }
}

#[test]
fn directions_go_into_files_of_their_own() {
    let s = summary();
    let (small, big) = (json("github-smaller", &s), json("github-bigger", &s));
    let names = |v: &Value| -> Vec<String> {
        v.as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&small).iter().any(|n| n.ends_with("CPU time")));
    assert!(names(&big).iter().all(|n| n.ends_with("achieved rate")));
    assert!(small.as_array().unwrap().iter().all(|e| e["value"].is_number() && e["unit"].is_string()));
}

#[test]
fn hyperfine_s_fields_are_there_for_every_point() {
    let s = summary();
    let all = json("hyperfine", &s);
    let first = &all["results"][0];
    for key in ["command", "mean", "stddev", "median", "user", "system", "min", "max", "times", "parameters"]
    {
        assert!(!first[key].is_null(), "{key}");
    }
    assert_eq!(first["times"].as_array().unwrap().len(), s.points[0].valid);
}

#[test]
fn open_metrics_are_a_family_after_the_other_and_end_as_they_must() {
    let s = summary();
    let all = text("openmetrics", &s);
    assert!(all.ends_with("# EOF\n"));
    let mut family = "";
    for line in all.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&format!("{family}{{")), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
    let cpu = s.points[0].get(Metric::TotalNs).unwrap().median;
    assert!(all.contains(&format!("interval=\"median\"}} {cpu}")));
}

#[test]
fn a_run_that_holds_needs_no_annotation() {
    let mut s = summary();
    assert_eq!(text("annotations", &s).lines().filter(|l| l.starts_with("::error")).count(), 0);
    s.points[0].valid = 0;
    assert!(text("annotations", &s).contains("::warning "));
}
