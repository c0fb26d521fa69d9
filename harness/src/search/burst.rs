//! Back-to-back frames after RFC 9004: the longest burst at the highest rate that is taken without loss, and the buffer
//! that this implies.

use super::book::Bounds;
use super::engine::{Engine, Target};
use super::judge::Judge;
use super::tst009::Verified;
use super::{Abandoned, Algorithm, Answer, Burst, Counts, Goal, Limits, Measure, Pps};
use csn::Nanos;

/// The longest burst that makes sense (RFC 9004, section 5.4).
const LONGEST: Nanos = Nanos::from_secs(30);
/// Trials of which one must be without loss.
const TRIALS: u32 = 3;
/// The shortest burst that is tried, in packets (RFC 2544, section 21).
const SHORTEST: u64 = 16;

/// RFC 9004 back-to-back frames.
pub struct BackToBack;

impl Algorithm for BackToBack {
    fn name(&self) -> &'static str {
        "back-to-back"
    }

    fn summary(&self) -> &'static str {
        "longest burst at the highest rate without loss, and the buffer time it implies (RFC 9004)"
    }

    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned> {
        // the throughput comes first: it is a part of the result (section 5.2)
        let mut answer = Verified.search(goals, limits, meter)?;
        let (Some(found), Some(goal)) = (answer.found.first(), goals.first()) else {
            return Ok(answer);
        };
        let rate = limits.max;
        // a meter that takes the highest rate for ever has no longest burst (section 5.1)
        let (Some(throughput), Some(_)) = (found.lower, found.upper) else {
            return Ok(answer);
        };
        let lengths = Limits { min: Pps(SHORTEST), max: Pps::of(rate.packets(LONGEST)), time: limits.time };
        let mut bursts = Bursts { rate, meter };
        let mut engine = Engine::new(&lengths, &mut bursts);
        let judge = Judge::Verified { loss: goal.loss, trials: TRIALS };
        let target = Target { judge, width: goal.width.max(0.01), time: Nanos(0) };
        // bursts of the length of a trial overflow every buffer that matters: the first guess
        let guess = Pps::of(rate.packets(goal.last));
        engine.pass(&target, Bounds { lower: None, upper: Some(guess.min(lengths.max)) })?;
        let packets = engine.book.bounds(&judge).lower.map_or(0, |p| p.0);
        let implied = packets as f64 / rate.value();
        let corrected = implied * (1.0 - throughput.value() / rate.value());
        answer.burst = Some(Burst { packets, rate: rate.value(), implied, corrected });
        Ok(answer)
    }
}

/// A meter seen as one that takes bursts: what is a load to the engine is a number of packets here.
struct Bursts<'a> {
    rate: Pps,
    meter: &'a mut dyn Measure,
}

impl Measure for Bursts<'_> {
    fn measure(&mut self, packets: Pps, _: Nanos) -> Result<Counts, Abandoned> {
        let time = Nanos((packets.value() / self.rate.value() * 1e9).round() as u64);
        self.meter.measure(self.rate, time)
    }
}
