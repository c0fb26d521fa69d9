//! The scenarios that users are shown: they have no mistakes, and what they ask for can be made.

use csn::packet::parse;
use csn::{Loader, Nanos, compile};
use generator::job::Amount;
use generator::{Job, Plan};
use std::path::{Path, PathBuf};

struct Disk;

impl Loader for Disk {
    fn load(&mut self, including: &str, path: &str) -> Result<(String, String), String> {
        let path = Path::new(including).parent().unwrap_or(Path::new(".")).join(path);
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        Ok((path.display().to_string(), text))
    }
}

fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let folders = [root.clone(), root.join("paper"), root.join("traffic")];
    let files = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap().map(|e| e.unwrap().path()));
    let mut out: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "csn")).collect();
    out.sort();
    out
}

#[test]
fn every_scenario_has_a_plan_whose_packets_are_classified_as_it_says() {
    let all = scenarios();
    assert!(all.len() >= 8, "{all:?}");
    for path in all {
        let name = path.display().to_string();
        let outcome = compile(&name, &std::fs::read_to_string(&path).unwrap(), &mut Disk);
        assert!(!outcome.has_errors(), "{name}: {:?}", outcome.diagnostics);
        if !outcome.unexecuted.is_empty() {
            continue;
        }
        let run = &outcome.scenario.experiment.run;
        let (rules, mix) = (outcome.scenario.rules.clone(), outcome.scenario.mix.clone());
        let (rate, amount) = (run.rate, Amount::Time(Nanos::from_millis(200)));
        let job = Job { rules, mix, rate, amount, seed: run.seed, macs: [[2; 6]; 2] };
        let mut plan = Plan::new(&job).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut packets = 0;
        for frame in plan.frames().take(20_000) {
            assert_eq!(job.rules.classify(&parse(&frame.bytes, None)).rule, frame.rule, "{name}");
            packets += 1;
        }
        assert!(packets > 0, "{name}");
    }
}
