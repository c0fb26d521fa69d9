//! The throughput of RFC 2544, section 26.1: the highest rate at which no packet is lost, one trial per rate.

use super::tst009::binary;
use super::{Abandoned, Algorithm, Answer, Goal, Limits, Measure};

/// RFC 2544 throughput.
pub struct Throughput;

impl Algorithm for Throughput {
    fn name(&self) -> &'static str {
        "rfc2544"
    }

    fn summary(&self) -> &'static str {
        "throughput after RFC 2544, section 26.1: one full-length trial per rate"
    }

    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned> {
        binary(goals, limits, 1, meter)
    }
}
