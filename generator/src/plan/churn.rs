//! Flows that end, and those that take their place.

use super::error::PlanError;
use super::make::{Made, Maker};
use super::part::Part;
use super::sizes::out_of_bounds;
use crate::dist::{self, Bounded, Counts, Rng};
use crate::signature::MAX_FLOW;
use csn::Nanos;
use csn::mix::{Births, Component, Lifetime};
use csn::models::Quantity;
use rand::RngExt;
use rand_distr::{Distribution as _, Exp1};

/// Lifetimes from which one that has begun already is chosen.
const TRIES: usize = 64;
/// Flows without a packet that come one behind the other; then one begins when a packet is due.
const UNSEEN: usize = 16;

/// How flows end and begin.
pub struct Churn {
    lives: Bounded,
    counts: Counts,
    /// Where flows begin at random: the mean time, or the mean packets, between two births, and when the next is.
    births: Option<(f64, f64)>,
    /// Packets sent.
    packets: u64,
    rng: Rng,
}

/// What a component says about the ends of its flows, before there are any.
pub struct Plan {
    lives: Bounded,
    counts: Counts,
    births: Births,
    /// How many flows there are at a time, where births and lifetime say it.
    pub flows: Option<u32>,
}

/// Reads what a component says; none where its flows do not end.
///
/// # Errors
/// Where flows, lifetime and births cannot all hold, or nothing says how long flows last.
pub fn plan(component: &Component, paced: bool) -> Result<Option<Plan>, PlanError> {
    let traffic = &component.traffic;
    let error = |message: &str, reason: String, cure: &str| {
        Err(PlanError::new(component.span, message, reason, cure))
    };
    let lifetime = match (&traffic.lifetime, traffic.birth_rate, traffic.flows) {
        (None, None, _) => return Ok(None),
        (None, Some(rate), Some(flows)) => {
            let lasts = Quantity::Time(Nanos((f64::from(flows) / rate * 1e9).max(1.0) as u64));
            Lifetime::Range(lasts, lasts)
        }
        (None, Some(_), None) => {
            let reason = "the births alone say neither how many there are nor how long they last".into();
            return error("flows begin and do not end", reason, "add `flows` or `lifetime`");
        }
        (Some(lifetime), ..) => lifetime.clone(),
    };
    let (lives, counts) = dist::lifetimes(&lifetime)
        .map_err(|share| out_of_bounds(&lifetime.to_string(), share, component.span))?;
    if counts == Counts::Time && !paced {
        let reason =
            "at the highest rate packets have no send times, and lifetimes in time no meaning".into();
        return error(
            "flows end after a time, and packets have none",
            reason,
            "give a rate, or lifetimes in packets",
        );
    }
    let flows = match (traffic.lifetime.is_some(), traffic.birth_rate) {
        (false, _) | (_, None) => None,
        (true, Some(_)) if counts == Counts::Packets => {
            let reason =
                "flows that last a number of packets begin as often as the rate of packets says".into();
            return error("births and lifetime say too much", reason, "leave out the rate of births");
        }
        (true, Some(_)) if traffic.flows.is_some() => {
            let reason = "any two of flows, lifetime and births per second say the third".into();
            return error("flows, lifetime and births say too much", reason, "leave one of them out");
        }
        (true, Some(rate)) => {
            Some((rate * lives.mean() / 1e9).round().clamp(1.0, f64::from(u32::MAX)) as u32)
        }
    };
    Ok(Some(Plan { lives, counts, births: traffic.births, flows }))
}

impl Plan {
    /// The ends of `flows` flows.
    pub fn start(self, flows: usize, rng: Rng) -> Churn {
        let gap = self.lives.mean() / flows.max(1) as f64;
        let mut out = Churn { lives: self.lives, counts: self.counts, births: None, packets: 0, rng };
        out.births = (self.births == Births::Poisson).then(|| (gap, out.exponential() * gap));
        out
    }
}

impl Churn {
    fn exponential(&mut self) -> f64 {
        Exp1.sample(&mut self.rng)
    }

    /// What is left of a lifetime that has begun before the load, as if flows had always come and gone: long ones are met
    /// more often, at any moment of theirs.
    pub fn rest(&mut self) -> u64 {
        let lives: [u64; TRIES] = std::array::from_fn(|_| self.lives.draw(&mut self.rng));
        let total: f64 = lives.iter().map(|l| *l as f64).sum();
        let mut at = self.rng.random::<f64>() * total;
        let met = lives.iter().find(|l| {
            at -= **l as f64;
            at < 0.0
        });
        let life = *met.unwrap_or(&lives[TRIES - 1]);
        (life as f64 * (1.0 - self.rng.random::<f64>())).ceil() as u64
    }
}

impl Part {
    /// The flow of a packet that is due then: one that has not ended. Flows that should have begun by now do.
    #[inline]
    pub fn living(&mut self, due: u64) -> usize {
        let Some(mut own) = self.churn.take() else { return 0 };
        let (churn, maker) = &mut *own;
        let i = self.living_of(churn, maker, due);
        self.churn = Some(own);
        i
    }

    fn living_of(&mut self, churn: &mut Churn, maker: &mut Maker, due: u64) -> usize {
        if let Some((gap, mut next)) = churn.births {
            let now = if churn.counts == Counts::Time { due } else { churn.packets } as f64;
            while next <= now {
                let life = churn.lives.draw(&mut churn.rng);
                let start = if churn.counts == Counts::Time { next as u64 } else { 0 };
                self.add(maker.next(), start.saturating_add(life));
                next += churn.exponential() * gap;
            }
            churn.births = Some((gap, next));
        }
        churn.packets += 1;
        loop {
            if self.flows.is_empty() {
                // a packet must be of some flow
                let life = churn.lives.draw(&mut churn.rng);
                let start = if churn.counts == Counts::Time { due } else { 0 };
                self.add(maker.next(), start.saturating_add(life));
            }
            let i = self.pick.next(self.flows.len(), &mut self.rng);
            let ends = self.flows[i].ends;
            let over = match churn.counts {
                Counts::Packets => ends == 0,
                Counts::Time => ends <= due,
            };
            if over && churn.births.is_some() {
                self.remove(i);
                continue;
            }
            if over {
                self.replace(i, maker.next(), next_end(churn, ends, due));
            }
            if churn.counts == Counts::Packets {
                self.flows[i].ends -= 1;
            }
            return i;
        }
    }

    /// One more flow.
    pub fn add(&mut self, made: Made, ends: u64) {
        let Made { mut flow, templates, .. } = made;
        flow.ends = ends;
        self.flows.push(flow);
        let [first, reply] = templates;
        let wanted = self.stride;
        // a flow that goes one way beside others that go both has two templates alike
        let before = self.templates.len();
        for mut template in first.into_iter().chain(reply).take(wanted) {
            if let Some((class, next, step)) = &mut self.signature {
                template.sign(&self.store, *class, *next);
                *next = next.wrapping_add(*step) & MAX_FLOW as u32;
            }
            self.templates.push(template);
        }
        if self.templates.len() < before + wanted
            && let Some(last) = self.templates.last().cloned()
        {
            self.templates.push(last);
        }
    }

    fn replace(&mut self, i: usize, made: Made, ends: u64) {
        self.add(made, ends);
        self.remove(i);
    }

    /// Takes a flow out; the last one gets its place.
    fn remove(&mut self, i: usize) {
        self.flows.swap_remove(i);
        for k in (0..self.stride).rev() {
            self.templates.swap_remove(i * self.stride + k);
        }
    }
}

/// When the flow ends, or how many packets it has, that comes behind one that ended at `before`.
fn next_end(churn: &mut Churn, before: u64, due: u64) -> u64 {
    if churn.counts == Counts::Packets {
        return churn.lives.draw(&mut churn.rng);
    }
    // one began as the other ended, and may have ended itself before it had a packet
    let mut ends = before;
    for _ in 0..UNSEEN {
        ends = ends.saturating_add(churn.lives.draw(&mut churn.rng));
        if ends > due {
            return ends;
        }
    }
    due.saturating_add(churn.lives.draw(&mut churn.rng))
}
