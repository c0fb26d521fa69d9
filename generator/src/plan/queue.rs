//! Packets chosen some way ahead, so that their frames are in the cache when they are written.

use super::part::Part;
use super::turns::Turns;

/// Packets that are chosen together: their frames are fetched from memory at the same time.
const AHEAD: usize = 32;

/// The packets of a stream in their order.
pub struct Queue {
    turns: Turns,
    parts: Vec<u32>,
    /// Parts and flows.
    chosen: [(u32, u32); AHEAD],
    at: usize,
}

impl Queue {
    /// The packets of these parts, which take turns.
    pub fn new(turns: Turns, parts: Vec<u32>) -> Self {
        Self { turns, parts, chosen: [(0, 0); AHEAD], at: AHEAD }
    }

    /// The part of the next packet, and what it chose.
    #[inline]
    pub fn next(&mut self, parts: &mut [Part]) -> (usize, u32) {
        if self.at == AHEAD {
            self.at = 0;
            for chosen in &mut self.chosen {
                let part = self.parts[self.turns.take()];
                *chosen = (part, parts[part as usize].choose());
            }
        }
        let (part, flow) = self.chosen[self.at];
        self.at += 1;
        (part as usize, flow)
    }
}
