//! Multiple loss ratio search: all goals in one search, from short trials to long ones
//! (draft-ietf-bmwg-mlrsearch-15).

use super::engine::{Engine, Target};
use super::judge::Judge;
use super::{Abandoned, Algorithm, Answer, Goal, Limits, Measure};
use csn::Nanos;

/// The first pass is this many times as coarse as the goal.
const COARSE: f64 = 4.0;

/// MLRsearch.
pub struct Mlr;

impl Algorithm for Mlr {
    fn name(&self) -> &'static str {
        "mlr"
    }

    fn summary(&self) -> &'static str {
        "MLRsearch: several loss goals at once, repeated short trials (draft-ietf-bmwg-mlrsearch-15)"
    }

    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned> {
        let mut engine = Engine::new(limits, meter);
        // all goals go through a pass before any goes on to longer trials: what they share is measured short
        for pass in 0..PASSES {
            for goal in goals {
                let hints = match pass {
                    0 => Default::default(),
                    _ => engine.book.bounds(&target(goal, pass - 1).judge),
                };
                engine.pass(&target(goal, pass), hints)?;
            }
        }
        let (book, in_time) = (engine.book, engine.in_time);
        let found = goals.iter().map(|g| book.found(*g, &Judge::Mlr(*g), limits, in_time)).collect();
        Ok(Answer { found, burst: None })
    }
}

/// Passes of a search.
const PASSES: u32 = 3;

/// What a goal asks of a pass: single short trials find where to look, and the last pass decides.
fn target(goal: &Goal, pass: u32) -> Target {
    let ratio = goal.last.0 as f64 / goal.initial.0.max(1) as f64;
    let between = Nanos((goal.initial.0 as f64 * ratio.sqrt()) as u64);
    let single = |time: Nanos| Goal { initial: time, last: time, sum: time, ..*goal };
    let (part, width) = match pass {
        0 => (single(goal.initial), goal.width * COARSE),
        1 => (single(between), goal.width),
        _ => (*goal, goal.width),
    };
    Target { judge: Judge::Mlr(part), width: width.min(0.5), time: part.last }
}
