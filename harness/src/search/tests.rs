//! Searches on simulated meters: quiet ones, stalls, buffers, loss inversion, a generator that can't keep up.

use super::simulated::Simulated;
use super::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A goal as FD.io sets it: trials of a second, 21 of them, half of which may exceed.
fn goal(loss: f64, width: f64) -> Goal {
    let s = Nanos::from_secs;
    Goal { loss, exceed: 0.5, width, initial: s(1), last: s(1), sum: s(21) }
}

fn limits(min: u64, max: u64) -> Limits {
    Limits { min: Pps(min), max: Pps(max), time: Nanos::from_secs(100_000) }
}

fn search(method: &str, goals: &[Goal], limits: &Limits, meter: &mut Simulated) -> Answer {
    find(method).unwrap().search(goals, limits, meter).unwrap()
}

/// The load at which a meter's loss is just what a goal tolerates.
fn limit(meter: &Simulated, goal: &Goal) -> f64 {
    meter.capacity / (1.0 - goal.loss)
}

/// Whether the bounds enclose the limit, and are near.
fn assert_encloses(found: &Found, limit: f64, what: &str) {
    let (Some(lower), Some(upper)) = (found.lower, found.upper) else { panic!("{what}: {found:?}") };
    // half a packet per second of rounding
    assert!(lower.value() <= limit + 0.5 && limit <= upper.value() + 0.5, "{what}: {limit} not in {found:?}");
    let near = upper.0 - lower.0 <= 1 || upper.value() - lower.value() <= found.goal.width * upper.value();
    assert!(near, "{what}: {found:?}");
}

#[test]
fn names_are_unique_and_documented() {
    for (i, a) in ALGORITHMS.iter().enumerate() {
        assert!(ALGORITHMS[..i].iter().all(|b| b.name() != a.name()));
        assert!(a.summary().len() > 20 && find(a.name()).is_some());
    }
}

#[test]
fn every_search_finds_the_limit_of_a_quiet_meter() {
    for method in ["mlr", "rfc2544", "tst009"] {
        for capacity in [1_234.5, 400_000.0, 12_345_678.0] {
            let mut meter = Simulated::new(capacity, 1);
            let goal = goal(0.0, 0.005);
            let answer = search(method, &[goal], &limits(10, 20_000_000), &mut meter);
            assert_encloses(&answer.found[0], capacity, method);
            assert_eq!(answer.found[0].irregular, []);
            let lower = answer.found[0].lower.unwrap().value();
            assert!((answer.found[0].throughput.unwrap() - lower).abs() < 1e-6);
        }
    }
}

#[test]
fn a_thousand_random_meters_are_found_and_the_irregular_ones_labelled() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    let (mut regular, mut labels) = (0, std::collections::BTreeMap::<&str, u32>::new());
    for case in 0..1000u64 {
        let mut meter = Simulated::new(10f64.powf(rng.random_range(3.5..7.0)).round(), case);
        meter.stalls = rng.random_range(0.0..0.15);
        meter.stall_loss = rng.random_range(0.001..0.5);
        let width = rng.random_range(0.002..0.03);
        let tolerated = rng.random_range(0.002..0.02);
        let goals = [goal(0.0, width), goal(tolerated, width)];
        let mut range = limits(100, 20_000_000);
        // one in five can't be had: the limit lies outside of what is searched, or the generator's is lower
        match rng.random_range(0..20) {
            0 => range.max = Pps::of(meter.capacity * rng.random_range(0.3..0.99)),
            1 => {
                range.min = Pps::of(meter.capacity * rng.random_range(1.1..3.0));
                range.max = Pps(2 * range.max.0.max(range.min.0));
            }
            2 => meter.generator = (meter.capacity * rng.random_range(0.3..0.95)).round(),
            3 => {
                let from = meter.capacity * rng.random_range(0.9..0.99);
                meter.hole = Some((from, from * rng.random_range(1.001..1.05)));
            }
            _ => {}
        }
        let answer = search("mlr", &goals, &range, &mut meter);
        for found in &answer.found {
            let true_limit = limit(&meter, &found.goal);
            let what =
                format!("case {case}: {meter:?}", meter = Simulated { trials: vec![], ..meter.clone() });
            let label = check(found, &meter, &range, true_limit, &what);
            *labels.entry(label).or_default() += 1;
            regular += u32::from(label == "regular");
        }
    }
    println!("{labels:?}");
    // each kind was met, and most are regular
    assert!(regular > 1500 && labels.len() == 5, "{labels:?}");
}

/// Holds a result against what is known of the meter; says what kind it was.
fn check(found: &Found, meter: &Simulated, range: &Limits, limit: f64, what: &str) -> &'static str {
    use Irregular::*;
    if range.max.value() <= limit {
        assert_eq!((found.lower, found.irregular.as_slice()), (Some(range.max), &[AtMax][..]), "{what}");
        return "at max";
    }
    if range.min.value() > limit + 0.5 {
        assert_eq!((found.upper, found.lower), (Some(range.min), None), "{what}");
        assert!(found.irregular.contains(&BelowMin), "{what}");
        return "below min";
    }
    // a rate that the generator does not reach loses the rest
    let generator = meter.generator / (1.0 - found.goal.loss);
    if generator < limit {
        assert_encloses(found, generator, what);
        assert!(found.irregular.contains(&Generator), "{what}: {found:?}");
        return "generator";
    }
    if let Some((from, _)) = meter.hole
        && found.upper.unwrap().value() < limit
    {
        // the search met the hole: its lower edge is a limit too
        assert_encloses(found, from, what);
        return "hole";
    }
    assert_encloses(found, limit, what);
    assert!(found.irregular.iter().all(|i| matches!(i, Inversion(_))), "{what}: {found:?}");
    "regular"
}

#[test]
fn several_goals_cost_less_than_each_alone() {
    let goals = [goal(0.0, 0.005), goal(0.005, 0.005)];
    let count = |goals: &[Goal]| {
        let mut meter = Simulated::new(777_777.0, 3);
        search("mlr", goals, &limits(10, 5_000_000), &mut meter);
        meter.trials.len()
    };
    assert!(count(&goals) < count(&goals[..1]) + count(&goals[1..]));
}

#[test]
fn short_trials_come_first_and_long_ones_decide() {
    let s = Nanos::from_secs;
    let goal = Goal { initial: s(1), last: s(60), sum: s(60), exceed: 0.0, ..goal(0.0, 0.005) };
    // a buffer of a second hides an overload of 5 % from trials of one second
    let mut meter = Simulated { buffer: 50_000.0, ..Simulated::new(1e6, 1) };
    let answer = search("mlr", &[goal], &limits(10, 10_000_000), &mut meter);
    assert_eq!(meter.trials[0], (Pps(10_000_000), s(1)));
    // in a minute the buffer is 833 packets/s
    assert_encloses(&answer.found[0], 1e6 + 50_000.0 / 60.0, "long");
    let long = meter.trials.iter().filter(|(_, t)| *t == s(60)).count();
    assert!(long < meter.trials.len() / 2, "{long} of {}", meter.trials.len());
}

#[test]
fn stalls_spoil_a_plain_search_and_not_one_that_tolerates_them() {
    // one trial in ten stands still
    let goals = [goal(0.0, 0.005)];
    let far = |method: &str| {
        (0..100u64)
            .filter(|seed| {
                let mut meter = Simulated { stalls: 0.1, ..Simulated::new(500_000.0, *seed) };
                let found = search(method, &goals, &limits(10, 5_000_000), &mut meter).found.remove(0);
                found.lower.is_none_or(|l| l.value() < 500_000.0 * 0.99)
            })
            .count()
    };
    let (plain, verified, mlr) = (far("rfc2544"), far("tst009"), far("mlr"));
    assert!(plain > 0 && verified == 0 && mlr == 0, "{plain} {verified} {mlr}");
}

#[test]
fn a_meter_that_never_takes_anything_and_a_search_without_time_come_to_an_end() {
    let mut dead = Simulated { stalls: 1.0, stall_loss: 1.0, ..Simulated::new(1.0, 1) };
    for method in ["mlr", "rfc2544", "tst009", "loss-rate", "back-to-back"] {
        let answer = search(method, &[goal(0.0, 0.005)], &limits(10, 1_000_000), &mut dead);
        assert_eq!(answer.found[0].lower, None, "{method}");
        assert_eq!(answer.found[0].throughput, None);
        assert_eq!(answer.burst, None);
    }
    let short = Limits { time: Nanos::from_secs(5), ..limits(10, 1_000_000) };
    let mut meter = Simulated::new(400_000.0, 1);
    let found = search("mlr", &[goal(0.0, 0.005)], &short, &mut meter).found.remove(0);
    assert!(found.irregular.contains(&Irregular::Time) && meter.trials.len() == 5, "{found:?}");
}

#[test]
fn a_search_that_is_given_up_says_so() {
    struct Gone;
    impl Measure for Gone {
        fn measure(&mut self, _: Pps, _: Nanos) -> Result<Counts, Abandoned> {
            Err(Abandoned)
        }
    }
    for algorithm in ALGORITHMS {
        assert_eq!(algorithm.search(&[goal(0.0, 0.01)], &limits(1, 100), &mut Gone), Err(Abandoned));
    }
}

#[test]
fn the_same_counts_lead_to_the_same_loads() {
    let path = |seed| {
        let mut meter = Simulated { stalls: 0.1, ..Simulated::new(500_000.0, seed) };
        search("mlr", &[goal(0.0, 0.005)], &limits(10, 5_000_000), &mut meter);
        meter.trials
    };
    assert_eq!(path(1), path(1));
}

#[test]
fn loss_rates_go_down_in_tenths_until_two_trials_are_without() {
    let mut meter = Simulated::new(650_000.0, 1);
    let answer = search("loss-rate", &[goal(0.0, 0.1)], &limits(10, 1_000_000), &mut meter);
    let loads: Vec<u64> = meter.trials.iter().map(|(load, _)| load.0).collect();
    assert_eq!(loads, [1_000_000, 900_000, 800_000, 700_000, 600_000, 500_000]);
    assert_eq!(answer.found[0].lower, Some(Pps(600_000)));
}

#[test]
fn the_longest_burst_gives_the_buffer_back() {
    // a ring of 65,536 packets, emptied at 400,000 packets/s, filled at a million
    let mut meter = Simulated { buffer: 65_536.0, ..Simulated::new(400_000.0, 1) };
    let long = Goal { last: Nanos::from_secs(60), ..goal(0.0, 0.001) };
    let answer = search("back-to-back", &[long], &limits(10, 1_000_000), &mut meter);
    let burst = answer.burst.unwrap();
    // it overflows after 65,536 / 600,000 s
    let implied = 65_536.0 / 600_000.0;
    assert!((burst.implied / implied - 1.0).abs() < 0.011, "{burst:?}");
    // corrected, it is the time in which the ring alone is filled at that rate
    assert!((burst.corrected / (65_536.0 / 1e6) - 1.0).abs() < 0.02, "{burst:?}");
    // a meter that keeps up has none
    let mut fast = Simulated::new(2e6, 1);
    assert_eq!(search("back-to-back", &[long], &limits(10, 1_000_000), &mut fast).burst, None);
}
