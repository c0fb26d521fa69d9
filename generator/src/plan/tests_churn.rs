//! Flows that end, and those that take their place.

use super::tests::{component, job, paper};
use super::*;
use crate::job::Amount;
use csn::mix::{Births, Lifetime, Order};
use csn::models::{Model, Quantity};
use csn::packet::parse;
use csn::{Key, Rate};
use std::collections::HashMap;

fn packets(n: u64) -> Lifetime {
    Lifetime::Range(Quantity::Packets(n), Quantity::Packets(n))
}

fn millis(n: u64) -> Lifetime {
    Lifetime::Range(Quantity::Time(Nanos::from_millis(n)), Quantity::Time(Nanos::from_millis(n)))
}

/// A load of one class with so many flows, sent at 100,000 packets/s.
fn load(flows: Option<u32>, lifetime: Option<Lifetime>, millis: u64) -> Job {
    let mut part = component(Target::Rule(0), 1.0);
    part.traffic.flows = flows;
    part.traffic.lifetime = lifetime;
    Job {
        rate: RateSpec::Fixed(Rate::Pps(1e5)),
        amount: Amount::Time(Nanos::from_millis(millis)),
        ..job(paper(1), vec![part], 0)
    }
}

/// When each flow had its packets.
fn seen(job: &Job) -> HashMap<Key, Vec<u64>> {
    let mut out: HashMap<Key, Vec<u64>> = HashMap::new();
    let rules = &job.rules;
    for frame in Plan::new(job).unwrap().frames() {
        let key = parse(&frame.bytes, None);
        assert_eq!(rules.classify(&key).rule, frame.rule);
        out.entry(key).or_default().push(frame.due.0);
    }
    out
}

fn refusal(change: impl Fn(&mut Job)) -> String {
    let mut job = load(Some(10), Some(millis(5)), 10);
    change(&mut job);
    Plan::new(&job).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn flows_of_one_packet_are_all_different() {
    let flows = seen(&load(None, Some(packets(1)), 200));
    assert_eq!(flows.len(), 20_000);
}

#[test]
fn flows_have_the_packets_of_their_lifetime_and_do_not_all_end_at_once() {
    let flows = seen(&load(Some(100), Some(packets(10)), 100));
    // a flow whose last packet is not near the end has ended
    let ended: Vec<_> = flows.values().filter(|t| t[t.len() - 1] < 90_000_000).collect();
    let whole = ended.iter().filter(|t| t.len() == 10).count();
    let begun_before = ended.iter().filter(|t| t.len() < 10).count();
    assert!(flows.values().all(|t| t.len() <= 10));
    assert!(whole > 700 && (70..=100).contains(&begun_before), "{whole} whole, {begun_before} not");
    // in any round of packets a tenth of the flows ends, more or less
    let mut ends = [0u32; 90];
    ended.iter().for_each(|t| ends[(t[t.len() - 1] / 1_000_000) as usize] += 1);
    assert!(ends.iter().all(|n| *n < 30), "{ends:?}");
}

#[test]
fn lifetimes_in_time_are_kept() {
    let flows = seen(&load(Some(50), Some(millis(20)), 400));
    let spans: Vec<u64> = flows.values().map(|t| t[t.len() - 1] - t[0]).collect();
    assert!(spans.iter().all(|s| *s < 20_000_000));
    let long = spans.iter().filter(|s| **s > 18_900_000).count();
    // 50 at a time, each 20 ms: 2.5 begin in a millisecond
    assert!((1000..=1100).contains(&flows.len()) && long > 900, "{} flows, {long} long", flows.len());
}

#[test]
fn births_per_second_say_how_long_flows_last_or_how_many_there_are() {
    let mut with_flows = load(Some(100), None, 1000);
    with_flows.mix.components[0].traffic.birth_rate = Some(2000.0);
    let count = seen(&with_flows).len();
    assert!((2050..=2150).contains(&count), "{count}");
    let mut with_life = load(None, Some(millis(50)), 1000);
    with_life.mix.components[0].traffic.birth_rate = Some(2000.0);
    assert_eq!(Plan::new(&with_life).unwrap().flows(), 100);
    let count = seen(&with_life).len();
    assert!((2050..=2150).contains(&count), "{count}");
}

#[test]
fn random_births_are_as_many_on_average_and_vary() {
    let mean = Quantity::Time(Nanos::from_millis(20));
    let model = Model { name: "exponential".into(), parameters: vec![("mean".into(), mean)] };
    let mut job = load(Some(100), Some(Lifetime::Model(model)), 1000);
    job.mix.components[0].traffic.births = Births::Poisson;
    job.mix.components[0].traffic.order = Order::Random;
    let flows = seen(&job);
    // 5000 births, of which nearly all have a packet: a flow waits for a millisecond, and lives for 20
    assert!((4_500..5_100).contains(&flows.len()), "{}", flows.len());
    // those of the first ten milliseconds were there already
    let mut births = [0.0f64; 99];
    let begun = flows.values().filter_map(|t| (t[0] / 10_000_000).checked_sub(1));
    begun.for_each(|ten| births[ten as usize] += 1.0);
    let mean = births.iter().sum::<f64>() / 99.0;
    let variance = births.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 98.0;
    assert!((0.6..1.6).contains(&(variance / mean)), "{variance} for {mean}");
    let mut few = load(Some(1), Some(packets(3)), 10);
    few.mix.components[0].traffic.births = Births::Poisson;
    // where nobody is left somebody begins
    let longest = seen(&few).values().map(Vec::len).max();
    assert!(longest <= Some(3), "{longest:?}");
}

#[test]
fn both_directions_belong_to_a_flow_that_ends() {
    let mut job = load(Some(10), Some(packets(4)), 10);
    job.rules.rules[0].both = true;
    let mut flows: HashMap<Key, u32> = HashMap::new();
    for frame in Plan::new(&job).unwrap().frames() {
        let key = parse(&frame.bytes, None);
        let reply = key.reversed();
        *flows.entry(if flows.contains_key(&reply) { reply } else { key }).or_default() += 1;
    }
    assert!(flows.values().all(|n| *n <= 4) && flows.values().filter(|n| **n == 4).count() > 200);
}

#[test]
fn what_cannot_hold_together_is_refused() {
    assert!(refusal(|_| ()).is_empty());
    let traffic =
        |job: &mut Job, change: &dyn Fn(&mut csn::Traffic)| change(&mut job.mix.components[0].traffic);
    assert!(refusal(|j| j.rate = RateSpec::Max).contains("packets have none"));
    assert!(refusal(|j| traffic(j, &|t| t.birth_rate = Some(5.0))).contains("say too much"));
    assert!(
        refusal(|j| traffic(j, &|t| {
            t.birth_rate = Some(5.0);
            t.lifetime = None;
            t.flows = None;
        }))
        .contains("do not end")
    );
    assert!(
        refusal(|j| traffic(j, &|t| {
            t.birth_rate = Some(5.0);
            t.lifetime = Some(packets(4));
            t.flows = None;
        }))
        .contains("say too much")
    );
}
