//! Flows made by their number: the first ones before a load begins, those that come behind others while it runs.

use super::flows::Source;
use super::part::{Flow, NO_TABLE};
use crate::dist::Rng;
use crate::frame::{Payloads, Template};
use csn::Key;
use csn::mix::Payload;
use rand::RngExt;
use std::sync::Arc;

/// Random payloads are cut from this many bytes, at an offset drawn per flow.
pub const RANDOM_BYTES: usize = 1 << 14;

/// Where the flows of a component come from.
pub struct Maker {
    /// What its flows go round.
    pub sources: Vec<Source>,
    /// The place of the table of sizes of each source and space.
    pub tables: Vec<Vec<u32>>,
    /// Payload octets that templates of each source and space are built with.
    pub built: Vec<Vec<usize>>,
    /// What is in the frames.
    pub store: Arc<Payloads>,
    /// Where random payloads start.
    pub offsets: Option<Rng>,
    /// Flows made so far.
    pub made: u64,
}

/// A flow that was made.
pub struct Made {
    /// The flow.
    pub flow: Flow,
    /// Its frames: one for each direction.
    pub templates: [Option<Template>; 2],
    /// Its source and space.
    pub place: (usize, usize),
}

impl Maker {
    /// The payload of a description, long enough for `longest` octets from anywhere that flows start.
    pub fn offsets(payload: &Payload, rng: Rng) -> Option<Rng> {
        matches!(payload, Payload::Random).then_some(rng)
    }

    /// The next flow.
    pub fn next(&mut self) -> Made {
        let turns = self.sources.len() as u64;
        let at = (self.made % turns) as usize;
        let source = &self.sources[at];
        let (space, key) = source.flows.flow(self.made / turns);
        let number = self.made as u32;
        self.made += 1;
        let shape = &source.flows.spaces[space].shape;
        let (table, built) = (self.tables[at][space], self.built[at][space]);
        let payload_at = self.offsets.as_mut().map_or(0, |rng| rng.random_range(0..RANDOM_BYTES / 2) * 2);
        let template = |key: &Key| {
            let mut template = Template::new(shape, key, &self.store, payload_at, built);
            template.rule = source.rule.map(|r| r as u32);
            template
        };
        let reply = source.both.then(|| template(&key.reversed()));
        Made {
            flow: Flow { ends: u64::MAX, table, number, both: source.both, reply: false },
            templates: [Some(template(&key)), reply],
            place: (at, space),
        }
    }

    /// Whether some flow needs more than its template.
    pub fn is_plain(&self) -> bool {
        self.sources.iter().all(|s| !s.both) && self.tables.iter().flatten().all(|t| *t == NO_TABLE)
    }
}
