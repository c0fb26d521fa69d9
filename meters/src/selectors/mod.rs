//! Packet selection in front of a meter, after PSAMP (RFC 5475): sampling by count, by time and at random, filtering by
//! properties and by hash. Several selectors in a row are a selection sequence: each sees what the one before let through.
//!
//! Written as `select = "match(proto = udp) | count(1, 9)"`; [`OPTIONS`] has the words. What was selected is told at the end
//! as attained rates, and in IPFIX as RFC 5476 and 5477 have it.

mod hash;
mod parse;
mod stage;

pub use hash::{bob, crc32, ipsx};
pub use parse::OPTIONS;

use crate::capture::Frame;
use crate::flows::Datum;
use stage::Stage;
use std::fmt;

/// A selection sequence at work.
#[derive(Debug)]
pub struct Selection {
    stages: Vec<(String, Stage, u64)>,
    observed: u64,
}

impl Selection {
    /// Whether a packet is selected.
    #[inline]
    pub fn take(&mut self, frame: &Frame<'_>) -> bool {
        self.observed += 1;
        for (_, stage, selected) in &mut self.stages {
            if !stage.take(frame) {
                return false;
            }
            *selected += 1;
        }
        true
    }

    /// What was observed and selected so far.
    pub fn report(&self) -> Report {
        let selectors = self.stages.iter().map(|(text, stage, selected)| SelectorReport {
            text: text.clone(),
            algorithm: stage.algorithm(),
            parameters: stage.parameters(),
            selected: *selected,
        });
        Report { observed: self.observed, selectors: selectors.collect() }
    }
}

/// What a selection sequence did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Packets that came to the first selector.
    pub observed: u64,
    /// The selectors in order.
    pub selectors: Vec<SelectorReport>,
}

/// What one selector did.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectorReport {
    /// It, as it is written.
    pub text: String,
    /// Its number in IANA's list, where it is there (element 304).
    pub algorithm: Option<u16>,
    /// Its parameters by element (RFC 5477, 8).
    pub parameters: Vec<(u16, Datum<'static>)>,
    /// Packets that it let through.
    pub selected: u64,
}

impl Report {
    /// Packets that went through all selectors.
    pub fn selected(&self) -> u64 {
        self.selectors.last().map_or(self.observed, |s| s.selected)
    }
}

impl fmt::Display for Report {
    /// The attained rate of each selector, of what came to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut came = self.observed;
        for (i, s) in self.selectors.iter().enumerate() {
            let rate = if came == 0 { 0.0 } else { s.selected as f64 / came as f64 };
            let sep = if i > 0 { "; " } else { "" };
            write!(f, "{sep}{} selected {} of {came} packets (attained rate {rate:.6})", s.text, s.selected)?;
            came = s.selected;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
