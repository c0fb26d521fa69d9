//! How often a comparison of a meter with itself claims a difference, and how often one with a slowed-down meter finds it:
//! the two error rates of `csnbench compare` on this machine.
//!
//! ```text
//! csnbench run scenarios/self-test/slowdown.csn -o aa
//! cargo run --release -p reports --example aa -- aa/records.jsonl
//! ```
//!
//! The records are of real trials, interleaved. What is drawn from them is only which trials a run has: each comparison
//! sees 15 of either side, drawn without replacement from all trials of that meter.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use reports::compare::{Change, Comparison, Criteria};
use reports::record::Trial;
use reports::store::Stored;
use reports::summary::{Metric, Summary, reasons};
use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

/// Trials of each side that a comparison sees.
const TRIALS: usize = 15;
/// Comparisons of a meter with itself.
const EQUAL: usize = 200;
/// Comparisons with the slowed-down meter.
const SLOWED: usize = 100;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: aa RECORDS; of a run with one meter, and the same with a known slow-down");
        return ExitCode::from(64);
    };
    let read = File::open(&path).map_err(|e| e.to_string());
    match read.and_then(|f| Stored::read(BufReader::new(f)).map_err(|e| e.to_string())) {
        Ok(stored) => rates(&stored),
        Err(e) => {
            eprintln!("{path}: {e}");
            ExitCode::FAILURE
        }
    }
}

fn rates(stored: &Stored) -> ExitCode {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(stored.run.seed);
    let mut meters: Vec<(String, Vec<Trial>)> = vec![];
    for trial in stored.trials.iter().filter(|t| reasons(t).is_empty()) {
        match meters.iter_mut().find(|(meter, _)| *meter == trial.meter) {
            Some((_, trials)) => trials.push(trial.clone()),
            None => meters.push((trial.meter.clone(), vec![trial.clone()])),
        }
    }
    // the plain meter has the shorter name
    meters.sort_by_key(|(meter, _)| meter.len());
    for (meter, trials) in &meters {
        if trials.len() < 2 * TRIALS {
            eprintln!(
                "{meter}: {} valid trials, but a comparison with itself needs {}",
                trials.len(),
                2 * TRIALS
            );
            return ExitCode::FAILURE;
        }
        let different = (0..EQUAL).filter(|_| {
            let drawn = drawn(trials, 2 * TRIALS, &mut rng);
            let (a, b) = drawn.split_at(TRIALS);
            !matches!(change(stored, a, b), Change::Same)
        });
        println!("{meter}: {} of {EQUAL} comparisons with itself claim a difference", different.count());
    }
    let Some(((first, base), slowed)) = meters.split_first() else { return ExitCode::FAILURE };
    for (meter, trials) in slowed {
        let found = (0..SLOWED).filter(|_| {
            let (a, b) = (drawn(base, TRIALS, &mut rng), drawn(trials, TRIALS, &mut rng));
            matches!(change(stored, &a, &b), Change::Worse | Change::Regressed)
        });
        println!("{meter} against {first}: found dearer in {} of {SLOWED}", found.count());
    }
    ExitCode::SUCCESS
}

/// What a comparison says of the CPU time.
fn change(stored: &Stored, base: &[Trial], new: &[Trial]) -> Change {
    let run = |trials: &[Trial]| {
        // both sides are one point of one meter
        let same =
            |t: &Trial| Trial { point: 0, meter: base[0].meter.clone(), at: base[0].at.clone(), ..t.clone() };
        Summary::of(&Stored { trials: trials.iter().map(same).collect(), ..stored.clone() })
    };
    let comparison = Comparison::of(&run(base), &run(new), None, Criteria::default());
    let cell = comparison.cells.iter().find(|c| c.metric == Metric::TotalNs);
    cell.map_or(Change::NoBaseline, |c| c.change)
}

/// So many of the trials, without replacement.
fn drawn(trials: &[Trial], n: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<Trial> {
    let mut all = trials.to_vec();
    for i in 0..n {
        let left = (all.len() - i) as u64;
        all.swap(i, i + ((u64::from(rng.next_u32()) * left) >> 32) as usize);
    }
    all.truncate(n);
    all
}
