//! Which components share a process of arrivals, and whose turn it is in each.

use super::Streams;
use super::error::PlanError;
use super::level::{self, Warp};
use super::queue::Queue;
use super::schedule::Stream;
use super::turns::Turns;
use crate::dist::{self, Blocks};
use crate::job::Amount;
use crate::recorded;
use csn::mix::{Arrival, Component, Phases};
use std::collections::HashMap;

/// A load over time.
pub struct Load {
    /// Send times; none to send as fast as possible.
    pub streams: Vec<Stream>,
    /// The packets of each stream; of all together, where there is none.
    pub queues: Vec<Queue>,
    /// The mean rate over the full one.
    pub level: f64,
    /// Shares of the packets that are sent, given the levels; together 1.
    pub shares: Vec<f64>,
}

/// Divides the components into streams: those whose packets arrive alike share one process, so that a single class
/// may come in bursts while the others are even.
pub fn load(
    components: &[&Component],
    shares: &[f64],
    (pps, amount): (Option<f64>, Amount),
    randomness: &mut Streams,
) -> Result<Load, PlanError> {
    let Some(pps) = pps else { return unpaced(components, shares) };
    if !(pps.is_finite() && pps > 0.0) {
        let reason = format!("{pps} packets per second follow from it");
        let message = "no packets at this rate";
        return Err(PlanError::new(components[0].span, message, reason, "use a positive rate"));
    }
    let time = if let Amount::Time(t) = amount { Some(t.0) } else { None };
    let mut out = Load { streams: Vec::new(), queues: Vec::new(), level: 0.0, shares: shares.to_vec() };
    for parts in alike(components) {
        let first = components[parts[0] as usize];
        let of_all: f64 = match parts.len() == components.len() {
            // exactly: a sum of shares may be off in its last digit, and the last packet's time with it
            true => 1.0,
            false => parts.iter().map(|p| shares[*p as usize]).sum(),
        };
        let traffic = &first.traffic;
        let gaps = match &traffic.arrival {
            Arrival::Capture(path) => recorded::gaps(path, pps * of_all, first.span)?,
            arrival => {
                dist::arrivals(arrival, pps * of_all).ok_or_else(|| unknown_arrival(first, arrival))?
            }
        };
        let gaps = Blocks::new(gaps, randomness.split());
        let warp = traffic.level.as_ref().map(|phases| Warp::new(phases, randomness.split()));
        let level = traffic.level.as_ref().map_or(1.0, |phases| level::mean(phases, time));
        if level <= 0.0 {
            let reason = "its level is 0 for the whole time";
            let message = "no packets in the time of the run";
            return Err(PlanError::new(
                first.span,
                message,
                reason,
                "run for longer, or raise the first level",
            ));
        }
        parts.iter().for_each(|p| out.shares[*p as usize] *= level);
        out.level += of_all * level;
        out.queues.push(Queue::new(Turns::new(parts.iter().map(|p| shares[*p as usize])), parts));
        out.streams.push(Stream::new(gaps, warp));
    }
    out.shares.iter_mut().for_each(|s| *s /= out.level);
    Ok(out)
}

/// As fast as possible: all take turns.
fn unpaced(components: &[&Component], shares: &[f64]) -> Result<Load, PlanError> {
    if let Some(c) = components.iter().find(|c| c.traffic.level.is_some()) {
        return Err(PlanError::new(
            c.span,
            "no phases at the highest rate",
            "a level is a share of a rate, and `max` is none that is known before",
            "give a rate, or leave `level` out",
        ));
    }
    let queues = vec![Queue::new(Turns::new(shares.iter().copied()), (0..shares.len() as u32).collect())];
    Ok(Load { streams: Vec::new(), queues, level: 1.0, shares: shares.to_vec() })
}

/// The components that share a process of arrivals, each kind in the order of its first.
fn alike(components: &[&Component]) -> Vec<Vec<u32>> {
    let mut kinds: Vec<(&Arrival, &Option<Phases>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<Vec<u32>> = Vec::new();
    for (i, c) in components.iter().enumerate() {
        let kind = (&c.traffic.arrival, &c.traffic.level);
        // mostly all are alike
        let place = match kinds.last().filter(|last| **last == kind) {
            Some(_) if kinds.len() == 1 => 0,
            _ => *places.entry(format!("{kind:?}")).or_insert_with(|| {
                kinds.push(kind);
                kinds.len() - 1
            }),
        };
        if place == out.len() {
            out.push(Vec::new());
        }
        out[place].push(i as u32);
    }
    out
}

fn unknown_arrival(component: &Component, arrival: &Arrival) -> PlanError {
    let names: Vec<_> =
        dist::TABLE.iter().filter(|e| matches!(e.make, dist::Make::Arrival(_))).map(|e| e.name).collect();
    let text = match arrival {
        Arrival::Model(model) => model.name.as_str(),
        Arrival::Constant => "constant",
        Arrival::Poisson => "poisson",
        Arrival::Gaps(_) => "gaps",
        Arrival::Capture(_) => "capture",
    };
    PlanError::new(
        component.span,
        format!("arrivals `{text}` cannot be made"),
        "no distribution of gaps knows this description",
        format!("use one of {}", names.join(", ")),
    )
}
