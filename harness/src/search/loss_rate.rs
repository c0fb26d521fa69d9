//! The frame loss rate of RFC 2544, section 26.3: loss at 100 %, 90 %, … of the highest rate, until two trials in a row
//! are without. The path of the search is the result, a curve of loss over load.

use super::book::Book;
use super::judge::Judge;
use super::{Abandoned, Algorithm, Answer, Goal, Limits, Measure, Pps};

/// Steps as a share of the highest rate; the RFC allows 10 % and encourages less.
const STEP: f64 = 0.1;

/// RFC 2544 frame loss rate.
pub struct LossRate;

impl Algorithm for LossRate {
    fn name(&self) -> &'static str {
        "loss-rate"
    }

    fn summary(&self) -> &'static str {
        "frame loss rate after RFC 2544, section 26.3: from the highest rate down until two trials are without loss"
    }

    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned> {
        let mut found = vec![];
        for goal in goals {
            let (mut book, mut in_a_row) = (Book::default(), 0);
            let loads = (0..10).map(|i| Pps::of(limits.max.value() * (1.0 - f64::from(i) * STEP)));
            for load in loads.filter(|load| *load >= limits.min) {
                let counts = meter.measure(load, goal.last)?;
                book.add(load, counts);
                in_a_row = if counts.loss() <= goal.loss { in_a_row + 1 } else { 0 };
                if in_a_row == 2 {
                    break;
                }
            }
            let judge = Judge::Verified { loss: goal.loss, trials: 1 };
            found.push(book.found(*goal, &judge, limits, true));
        }
        Ok(Answer { found, burst: None })
    }
}
