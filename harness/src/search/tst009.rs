//! Binary search with loss verification: ETSI GS NFV-TST 009, clause 12.3.3, as RFC 9004 recommends it.

use super::book::Bounds;
use super::engine::{Engine, Target};
use super::judge::Judge;
use super::{Abandoned, Algorithm, Answer, Goal, Limits, Measure};

/// Trials of which one must do: the first, and two that verify its loss.
const TRIALS: u32 = 3;

/// Binary search with loss verification.
pub struct Verified;

impl Algorithm for Verified {
    fn name(&self) -> &'static str {
        "tst009"
    }

    fn summary(&self) -> &'static str {
        "binary search with loss verification (ETSI GS NFV-TST 009): loss counts when two more trials show it"
    }

    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned> {
        binary(goals, limits, TRIALS, meter)
    }
}

/// A binary search for each goal, with up to so many trials per load.
///
/// # Errors
/// [`Abandoned`], from the meter.
pub fn binary(
    goals: &[Goal],
    limits: &Limits,
    trials: u32,
    meter: &mut dyn Measure,
) -> Result<Answer, Abandoned> {
    let mut engine = Engine::new(limits, meter);
    let mut found = vec![];
    for goal in goals {
        let judge = Judge::Verified { loss: goal.loss, trials };
        engine.pass(&Target { judge, width: goal.width, time: goal.last }, Bounds::default())?;
        found.push(engine.book.found(*goal, &judge, limits, engine.in_time));
    }
    Ok(Answer { found, burst: None })
}
