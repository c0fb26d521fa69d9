//! Samples held against theory. Seeds are fixed, so a test that passes does so always.

use super::*;
use csn::mix::Lifetime;
use csn::models::{Draws, MODELS, Model, Quantity};
use csn::{Layer, Nanos};
use rand::SeedableRng;
use std::collections::{BTreeMap, HashSet};

const SAMPLES: usize = 1_000_000;

/// What the samples of a distribution must show.
enum Theory {
    /// Every value with its probability: chi-square.
    Shares(Vec<(u64, f64)>),
    /// A distribution function: Kolmogorov-Smirnov, of every so manieth sample where they depend on each other.
    Function(Box<dyn Fn(f64) -> f64>, usize),
    /// The numbers themselves, each by its place, exact to a nanosecond.
    Sequence(Box<dyn Fn(u64) -> f64>),
    /// Counts in windows of so many nanoseconds are self-similar with this exponent.
    Hurst(f64, f64),
}

/// A distribution and its theory. A new line of the table without one fails below.
fn case(name: &str) -> Option<(Box<dyn Distribution>, Theory)> {
    let layer = Layer::Frame;
    let size = |s: Size| sizes(&s).expect("a distribution of sizes");
    let gaps = |a: Arrival, pps| arrivals(&a, pps).expect("a distribution of gaps");
    let bytes = |n| Quantity::Bytes(n, layer);
    let cut = |f: &dyn Fn(f64) -> f64, lo: u32, hi: u32| {
        let (a, b) = (f(f64::from(lo) - 0.5), f(f64::from(hi) + 0.5));
        let p = |k: u32| (f(f64::from(k) + 0.5) - f(f64::from(k) - 0.5)) / (b - a);
        Theory::Shares((lo..=hi).map(|k| (u64::from(k), p(k))).collect())
    };
    let normal = |x: f64| 0.5 * libm::erfc(-x / 2f64.sqrt());
    Some(match name {
        "fixed" => (size(Size::Fixed { bytes: 200, layer }), Theory::Shares(vec![(200, 1.0)])),
        "range" => {
            let shares = (60..=1514).map(|k| (k, 1.0 / 1455.0)).collect();
            (size(Size::Range { lo: 60, hi: 1514, layer }), Theory::Shares(shares))
        }
        "imix" => {
            let shares = [(90, 0.5867), (92, 0.02), (594, 0.2366), (1518, 0.1567)];
            (size(Size::Mix("tcp".into())), Theory::Shares(shares.to_vec()))
        }
        "genome" => {
            let letters = [64, 64, 64, 1280, 1518, 128];
            let at = move |k: u64| f64::from(letters[k as usize % 6]);
            (size(Size::Genome("aaafgb".into())), Theory::Sequence(Box::new(at)))
        }
        "empirical" => {
            let values = vec![(64, 7.0), (594, 4.0), (1500, 0.25)];
            let shares = values.iter().map(|(v, w)| (u64::from(*v), w / 11.25)).collect();
            (size(Size::Values { values, layer }), Theory::Shares(shares))
        }
        "exponential" => {
            let d = size(modelled(name, &[("mean", bytes(300)), ("max", bytes(1000))]));
            (d, cut(&|x| 1.0 - (-x.max(0.0) / 300.0).exp(), 1, 1000))
        }
        "normal" => {
            let d =
                size(modelled(name, &[("mean", bytes(600)), ("deviation", bytes(150)), ("min", bytes(64))]));
            (d, cut(&|x| normal((x - 600.0) / 150.0), 64, 1514))
        }
        "lognormal" => {
            let sigma = Quantity::Number(1.2);
            let d = size(modelled(name, &[("mean", bytes(400)), ("sigma", sigma), ("max", bytes(1500))]));
            let mu = 400f64.ln() - 0.72;
            (d, cut(&|x| if x > 0.0 { normal((x.ln() - mu) / 1.2) } else { 0.0 }, 1, 1500))
        }
        "pareto" => {
            let d = size(modelled(name, &[("min", bytes(60)), ("alpha", Quantity::Number(1.2))]));
            (d, cut(&|x| if x > 60.0 { 1.0 - (60.0 / x).powf(1.2) } else { 0.0 }, 60, 1514))
        }
        "constant" => {
            let at = |k: u64| (k as f64 * 1e9 / 123_456.7).floor();
            (gaps(Arrival::Constant, 123_456.7), Theory::Sequence(Box::new(move |k| at(k + 1) - at(k))))
        }
        "poisson" => {
            let f = |x: f64| 1.0 - (-x.max(0.0) * 10_000.0 / 1e9).exp();
            (gaps(Arrival::Poisson, 10_000.0), Theory::Function(Box::new(f), 1))
        }
        "burst" => {
            let parameters = [("length", Quantity::Packets(32)), ("gap", Quantity::Time(Nanos(700)))];
            // bursts begin every 320 us
            let gap = |k: u64| if k % 32 == 31 { 320_000.0 - 31.0 * 700.0 } else { 700.0 };
            (gaps(arrival(name, &parameters), 100_000.0), Theory::Sequence(Box::new(gap)))
        }
        "onoff" => {
            let time = |ms| Quantity::Time(Nanos::from_millis(ms));
            let parameters = [
                ("on", time(100)),
                ("off", time(400)),
                ("alpha", Quantity::Number(1.4)),
                ("sources", Quantity::Number(100.0)),
            ];
            (gaps(arrival(name, &parameters), 2_000.0), Theory::Hurst(0.8, 50e6))
        }
        "mmpp" => {
            let stay = |us: u64| Quantity::Time(Nanos(us * 1000));
            let parameters = [("ratio", Quantity::Number(10.0)), ("high", stay(100)), ("low", stay(300))];
            (gaps(arrival(name, &parameters), 100_000.0), Theory::Function(Box::new(mmpp_gap), 30))
        }
        "gaps" => {
            let recorded = [10u64, 0, 30, 60];
            let at = move |k: u64| recorded[k as usize % 4] as f64 * 40.0;
            let list = recorded.iter().map(|n| Nanos(*n)).collect();
            (gaps(Arrival::Gaps(list), 1e6), Theory::Sequence(Box::new(at)))
        }
        "uniform" => {
            let shares = (0..50).map(|k| (k, 0.02)).collect();
            (popularity(&Popularity::Uniform, 50)?, Theory::Shares(shares))
        }
        "zipf" => {
            let weight = |k: u64| (k as f64 + 1.0).powf(-1.1);
            let total: f64 = (0..2000).map(weight).sum();
            let shares = (0..2000).map(|k| (k, weight(k) / total)).collect();
            (popularity(&Popularity::Zipf(1.1), 2000)?, Theory::Shares(shares))
        }
        _ => return None,
    })
}

fn popularity(what: &Popularity, count: usize) -> Option<Box<dyn Distribution>> {
    TABLE.iter().find_map(|e| if let Make::Popularity(make) = e.make { make(what, count) } else { None })
}

fn model(name: &str, parameters: &[(&str, Quantity)]) -> Model {
    Model { name: name.into(), parameters: parameters.iter().map(|(n, q)| ((*n).to_owned(), *q)).collect() }
}

fn modelled(name: &str, parameters: &[(&str, Quantity)]) -> Size {
    Size::Distribution(model(name, parameters))
}

fn arrival(name: &str, parameters: &[(&str, Quantity)]) -> Arrival {
    Arrival::Model(model(name, parameters))
}

/// The distribution function of the gaps of the process above, in its stationary state: of a packet at rate a or b, the
/// time to the next one is a mixture of two exponentials whose rates are the eigenvalues of D0.
fn mmpp_gap(x: f64) -> f64 {
    // per microsecond: leaving high and low; rates of ratio 10 whose mean is 0.1
    let (out_high, out_low): (f64, f64) = (1.0 / 100.0, 1.0 / 300.0);
    let low = 0.1 / (10.0 * 0.25 + 0.75);
    let high = 10.0 * low;
    let t = x.max(0.0) / 1000.0;
    // the state that a packet finds, weighted by the rates
    let start = [high * 0.25 / 0.1, low * 0.75 / 0.1];
    // exp(D0 t) by its eigenvalues, D0 = [[-a, out_high], [out_low, -b]]
    let (a, b) = (high + out_high, low + out_low);
    let root = ((a - b).powi(2) / 4.0 + out_high * out_low).sqrt();
    let (fast, slow) = ((a + b) / 2.0 + root, (a + b) / 2.0 - root);
    let (e, f) = ((-fast * t).exp(), (-slow * t).exp());
    // survival from each state: row sums of the matrix exponential
    let (p, q) = ((f - e) / (fast - slow), (fast * f - slow * e) / (fast - slow));
    let alive = [q + p * (out_high - a), q + p * (out_low - b)];
    1.0 - start[0] * alive[0] - start[1] * alive[1]
}

fn sample(d: &mut dyn Distribution, n: usize) -> Vec<u64> {
    let mut out = vec![0; n];
    d.fill(&mut Rng::seed_from_u64(7), &mut out);
    out
}

/// The statistic of Pearson's test and its degrees of freedom; values of few samples are put together.
fn chi_square(values: &[u64], shares: &[(u64, f64)]) -> (f64, usize) {
    let mut seen = BTreeMap::new();
    values.iter().for_each(|v| *seen.entry(*v).or_insert(0u64) += 1);
    let (mut sum, mut bins) = (0.0, 0usize);
    let (mut expected, mut found) = (0.0, 0.0);
    for (i, (v, p)) in shares.iter().enumerate() {
        expected += p * values.len() as f64;
        found += seen.remove(v).unwrap_or(0) as f64;
        if expected >= 10.0 || i + 1 == shares.len() {
            sum += (found - expected).powi(2) / expected.max(1e-9);
            bins += 1;
            (expected, found) = (0.0, 0.0);
        }
    }
    assert!(seen.is_empty(), "values that the theory does not have: {seen:?}");
    (sum, bins - 1)
}

/// The largest distance between the samples' distribution function and the theory's. Samples are whole numbers, rounded
/// down with what is left over carried on: half a unit at most.
fn kolmogorov(mut values: Vec<u64>, f: &dyn Fn(f64) -> f64) -> f64 {
    values.sort_unstable();
    let n = values.len() as f64;
    let mut worst = 0.0f64;
    for (i, v) in values.iter().enumerate() {
        let theory = f(*v as f64 + 0.5);
        worst = worst.max((theory - i as f64 / n).abs()).max(((i + 1) as f64 / n - theory).abs());
    }
    worst
}

/// The exponent by the variance of means over ever longer windows, from 1 to 2^9 windows; the variance of a mean over m
/// falls as m to the power of 2 H - 2.
fn hurst(gaps: impl Iterator<Item = u64>, window: f64, windows: usize) -> f64 {
    let mut counts = vec![0.0; windows];
    let mut now = 0.0;
    for gap in gaps {
        now += gap as f64;
        match counts.get_mut((now / window) as usize) {
            Some(n) => *n += 1.0,
            None => break,
        }
    }
    let points: Vec<(f64, f64)> = (3..=10)
        .map(|e| {
            let m = 1usize << e;
            let means: Vec<f64> = counts.chunks_exact(m).map(|c| c.iter().sum::<f64>() / m as f64).collect();
            let mean = means.iter().sum::<f64>() / means.len() as f64;
            let variance = means.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
            ((m as f64).ln(), variance.ln())
        })
        .collect();
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let slope = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>()
        / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>();
    1.0 + slope / 2.0
}

#[test]
fn names_are_unique_and_everything_is_documented() {
    let names: HashSet<_> = TABLE.iter().map(|e| e.name).collect();
    assert_eq!(names.len(), TABLE.len());
    assert!(TABLE.iter().all(|e| !e.doc.is_empty() && e.example.contains('=')));
}

#[test]
fn every_model_of_the_notation_is_a_line_of_the_table() {
    // trains of packets are an order of flows, which `plan` makes, and headers are no draw at all
    let drawn = |m: &&csn::models::Entry| !matches!(m.draws, Draws::Turns | Draws::Headers);
    for model in MODELS.iter().filter(drawn) {
        assert!(TABLE.iter().any(|e| e.name == model.name), "{}", model.name);
    }
}

#[test]
fn samples_are_as_theory_says() {
    for entry in TABLE {
        let (mut d, theory) = case(entry.name).unwrap_or_else(|| panic!("no theory of {}", entry.name));
        match theory {
            Theory::Shares(shares) => {
                // a deck has its shares exactly after every round
                let n = if entry.name == "imix" { SAMPLES / 10_000 * 10_000 } else { SAMPLES };
                let (sum, freedom) = chi_square(&sample(&mut *d, n), &shares);
                // the statistic has mean n and variance 2 n: 4.5 standard deviations
                let bound = freedom as f64 + 4.5 * (2.0 * freedom as f64).sqrt() + 1e-6;
                assert!(sum <= bound, "{}: chi-square {sum} for {freedom} degrees", entry.name);
                let mean: f64 = shares.iter().map(|(v, p)| *v as f64 * p).sum();
                assert!((mean / d.mean() - 1.0).abs() < 1e-6, "{}: mean {} for {mean}", entry.name, d.mean());
            }
            Theory::Function(f, step) => {
                let mut rng = Rng::seed_from_u64(7);
                let mut block = vec![0; step];
                let mut draw = |_| {
                    d.fill(&mut rng, &mut block);
                    block[step - 1]
                };
                let values: Vec<u64> = (0..SAMPLES).map(&mut draw).collect();
                let mean = values.iter().sum::<u64>() as f64 / SAMPLES as f64;
                let distance = kolmogorov(values, &*f);
                // passed by 999 of 1000 samples of the theory
                assert!(distance < 1.95 / (SAMPLES as f64).sqrt(), "{}: {distance}", entry.name);
                assert!((mean / d.mean() - 1.0).abs() < 0.01, "{}: mean {mean}", entry.name);
            }
            Theory::Sequence(at) => {
                for (k, v) in sample(&mut *d, SAMPLES).iter().enumerate() {
                    assert!((*v as f64 - at(k as u64)).abs() <= 1.0, "{}: {v} at {k}", entry.name);
                }
            }
            Theory::Hurst(exponent, window) => {
                let found = hurst(sample(&mut *d, 4 * SAMPLES).into_iter(), window, 1 << 15);
                assert!((found - exponent).abs() < 0.07, "{}: {found}, not {exponent}", entry.name);
            }
        }
    }
}

#[test]
fn sizes_and_ranks_say_what_they_can_be() {
    for entry in TABLE.iter().filter(|e| !matches!(e.make, Make::Arrival(_))) {
        let (mut d, _) = case(entry.name).unwrap();
        let support = d.support();
        let total: f64 = support.iter().map(|(_, p)| p).sum();
        let mean: f64 = support.iter().map(|(v, p)| *v as f64 * p).sum();
        assert!((total - 1.0).abs() < 1e-9 && (mean / d.mean() - 1.0).abs() < 1e-6, "{}", entry.name);
        assert!(support.windows(2).all(|w| w[0].0 < w[1].0), "{}", entry.name);
        let known: HashSet<u64> = support.iter().map(|(v, _)| *v).collect();
        assert!(sample(&mut *d, 100_000).iter().all(|v| known.contains(v)), "{}", entry.name);
    }
}

#[test]
fn blocks_do_not_change_the_sequence() {
    for entry in TABLE {
        let (mut whole, _) = case(entry.name).unwrap();
        let (again, _) = case(entry.name).unwrap();
        let mut blocks = Blocks::new(again, Rng::seed_from_u64(7));
        let read: Vec<_> = (0..1000).map(|_| blocks.draw()).collect();
        assert_eq!(sample(&mut *whole, 1000), read, "{}", entry.name);
    }
}

#[test]
fn self_similar_traffic_has_the_exponent_of_its_tails() {
    for (alpha, exponent) in [(1.2, 0.9), (1.6, 0.7)] {
        let time = |ms| Quantity::Time(Nanos::from_millis(ms));
        let number = Quantity::Number;
        let parameters =
            [("on", time(100)), ("off", time(400)), ("alpha", number(alpha)), ("sources", number(100.0))];
        let mut d = arrivals(&arrival("onoff", &parameters), 2_000.0).unwrap();
        let found = hurst(sample(&mut *d, 4 * SAMPLES).into_iter(), 50e6, 1 << 15);
        assert!((found - exponent).abs() < 0.07, "alpha {alpha}: {found}, not {exponent}");
    }
    // traffic without memory has 0.5
    let mut d = arrivals(&Arrival::Poisson, 2_000.0).unwrap();
    let found = hurst(sample(&mut *d, 4 * SAMPLES).into_iter(), 50e6, 1 << 15);
    assert!((found - 0.5).abs() < 0.07, "{found}");
}

#[test]
fn two_rates_give_the_dispersion_of_theory() {
    let stay = |ms| Quantity::Time(Nanos::from_millis(ms));
    let parameters = [("ratio", Quantity::Number(10.0)), ("high", stay(20)), ("low", stay(60))];
    let mut d = arrivals(&arrival("mmpp", &parameters), 2_000.0).unwrap();
    // counts in windows of two seconds, many turns of the states
    let mut counts = vec![0.0f64; 1000];
    let mut now = 0u64;
    for gap in sample(&mut *d, 4_200_000) {
        now += gap;
        match counts.get_mut((now / 2_000_000_000) as usize) {
            Some(n) => *n += 1.0,
            None => break,
        }
    }
    let mean = counts.iter().sum::<f64>() / 1000.0;
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 999.0;
    let low: f64 = 2_000.0 / (10.0 * 0.25 + 0.75);
    let (high, r1, r2): (f64, f64, f64) = (10.0 * low, 50.0, 1000.0 / 60.0);
    let index = 1.0 + 2.0 * (high - low).powi(2) * r1 * r2 / ((r1 + r2).powi(2) * (high * r2 + low * r1));
    assert!((mean / 4000.0 - 1.0).abs() < 0.02, "{mean}");
    assert!((variance / mean / index - 1.0).abs() < 0.15, "{} for {index}", variance / mean);
}

#[test]
fn lifetimes_are_as_theory_says_in_packets_and_in_time() {
    let packets = Quantity::Packets;
    let seconds = |s: f64| Quantity::Time(Nanos((s * 1e9) as u64));
    let heavy = model("pareto", &[("min", packets(1)), ("alpha", Quantity::Number(1.5))]);
    let long = model("exponential", &[("mean", seconds(2.0)), ("max", seconds(5.0))]);
    let body = model("lognormal", &[("mean", seconds(1.0)), ("sigma", Quantity::Number(0.5))]);
    let around = model("normal", &[("mean", seconds(1.0)), ("deviation", seconds(0.2))]);
    let cases: [(Lifetime, Counts, f64); 5] = [
        (Lifetime::Range(packets(3), packets(12)), Counts::Packets, 7.5),
        // the sum over k of P(X > k - 1/2) is Hurwitz' zeta(1.5, 0.5) less what lies below the minimum
        (Lifetime::Model(heavy), Counts::Packets, 1.0 + 1.950_6),
        // 2 - 5 exp(-2.5) / (1 - exp(-2.5))
        (Lifetime::Model(long), Counts::Time, 1.552_9e9),
        (Lifetime::Model(body), Counts::Time, 1e9),
        (Lifetime::Model(around), Counts::Time, 1e9),
    ];
    for (lifetime, counted, mean) in cases {
        let (d, counts) = lifetimes(&lifetime).unwrap();
        assert_eq!(counts, counted, "{lifetime}");
        assert!((d.mean() / mean - 1.0).abs() < 0.02, "{lifetime}: {} for {mean}", d.mean());
        let mut rng = Rng::seed_from_u64(3);
        let values: Vec<u64> = (0..SAMPLES).map(|_| d.draw(&mut rng)).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        // whole numbers: compared where they step
        let n = SAMPLES as f64;
        let steps = sorted.chunk_by(|a, b| a == b).scan(0, |below, same| {
            *below += same.len();
            Some((same[0], *below as f64 / n))
        });
        let worst = steps.map(|(v, upto)| (d.upto(v) - upto).abs()).fold(0.0, f64::max);
        assert!(worst < 1.95 / n.sqrt(), "{lifetime}: {worst}");
    }
}

#[test]
fn a_model_that_hardly_reaches_its_bounds_is_none() {
    let far = [("mean", Quantity::Bytes(100, Layer::Frame)), ("min", Quantity::Bytes(1000, Layer::Frame))];
    assert!(sizes(&modelled("exponential", &far)).is_none());
    assert!(model_sizes(&model("exponential", &far)).err().is_some_and(|share| share < 1e-3));
}

#[test]
fn constant_gaps_never_drift() {
    let mut d = arrivals(&Arrival::Constant, 3_000_000.0).unwrap();
    let gaps = sample(&mut *d, 3_000_000);
    assert_eq!(gaps.iter().sum::<u64>(), 1_000_000_000);
    assert!(gaps.iter().all(|g| *g == 333 || *g == 334));
}

#[test]
fn imix_has_its_exact_mean_after_every_dozen() {
    let values = sample(&mut *sizes(&Size::Imix).unwrap(), 120);
    for dozen in values.chunks(12) {
        assert_eq!(dozen.iter().sum::<u64>(), 7 * 64 + 4 * 594 + 1518);
    }
}
