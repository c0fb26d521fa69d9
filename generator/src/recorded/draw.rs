//! Sizes and gaps as a capture has them.

use super::reader::read_file;
use super::split::unreadable;
use super::spool::{Lane, Writer};
use crate::dist::{Distribution, Rng};
use crate::plan::PlanError;
use csn::Span;
use rand::RngExt;
use std::collections::BTreeMap;
use std::path::Path;

/// Sizes of frames, each as often as the capture has it, drawn independently of each other.
struct Sizes {
    sizes: Vec<u64>,
    /// Packets up to each size.
    sums: Vec<u64>,
    mean: f64,
}

impl Distribution for Sizes {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        let total = self.sums[self.sums.len() - 1];
        for size in out {
            let n = rng.random_range(0..total);
            *size = self.sizes[self.sums.partition_point(|s| *s <= n)];
        }
    }

    fn mean(&self) -> f64 {
        self.mean
    }

    fn support(&self) -> Vec<(u64, f64)> {
        let total = self.sums[self.sums.len() - 1] as f64;
        let before = std::iter::once(&0).chain(&self.sums);
        self.sizes
            .iter()
            .zip(self.sums.iter().zip(before))
            .map(|(v, (s, b))| (*v, (s - b) as f64 / total))
            .collect()
    }
}

/// The sizes of a capture's frames.
///
/// # Errors
/// A capture that cannot be read, or is empty.
pub fn sizes(path: &str, span: Span) -> Result<Box<dyn Distribution>, PlanError> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let packets = read_file(Path::new(path), |p| *counts.entry(p.length.into()).or_insert(0) += 1)
        .map_err(|e| unreadable(&e, span))?;
    if packets == 0 {
        return Err(too_few(path, span, "a size needs a packet"));
    }
    let mut sum = 0;
    let sums = counts.values().map(|n| {
        sum += n;
        sum
    });
    let mean = counts.iter().map(|(v, n)| *v as f64 * *n as f64).sum::<f64>() / packets as f64;
    Ok(Box::new(Sizes { sums: sums.collect(), sizes: counts.into_keys().collect(), mean }))
}

/// The gaps of a capture in their order, stretched to a rate, again and again.
struct Gaps {
    lane: Lane,
    /// From recorded nanoseconds to those of the load.
    stretch: f64,
    /// What rounding has left over, so that the sum of many gaps is right.
    left: f64,
    mean: f64,
}

impl Distribution for Gaps {
    fn fill(&mut self, _: &mut Rng, out: &mut [u64]) {
        for gap in out {
            // an unnamed file of ours can be read; should the system fail, the rate at least is kept
            let recorded = self.lane.next().ok().flatten().map(|(gap, _)| gap as f64);
            let exact = recorded.map_or(self.mean, |g| g * self.stretch) + self.left;
            *gap = exact.max(0.0) as u64;
            self.left = exact - *gap as f64;
        }
    }

    fn mean(&self) -> f64 {
        self.mean
    }
}

/// The gaps of a capture at `pps` packets per second. From its last packet to its first, as it begins again, is a mean
/// gap.
///
/// # Errors
/// A capture that cannot be read, or has no two packets at different times.
pub fn gaps(path: &str, pps: f64, span: Span) -> Result<Box<dyn Distribution>, PlanError> {
    let mut writer = Writer::new(1);
    let (mut first, mut last, mut written) = (None, 0, Ok(()));
    let packets = read_file(Path::new(path), |p| {
        if first.is_some() && written.is_ok() {
            // clocks can be set back
            written = writer.push(0, p.time.0.saturating_sub(last), &[]);
        }
        first.get_or_insert(p.time.0);
        last = last.max(p.time.0);
    })
    .map_err(|e| unreadable(&e, span))?;
    let elapsed = last - first.unwrap_or(last);
    if packets < 2 || elapsed == 0 {
        return Err(too_few(path, span, "gaps need two packets at different times"));
    }
    let recorded = elapsed as f64 / (packets - 1) as f64;
    let lanes = written.and_then(|()| writer.push(0, recorded as u64, &[])).and_then(|()| writer.finish());
    let lane = lanes.map(|mut l| l.remove(0)).map_err(|e| {
        PlanError::new(span, format!("no room for the gaps of {path:?}"), e.to_string(), "make room")
    })?;
    let mean = 1e9 / pps;
    Ok(Box::new(Gaps { lane, stretch: mean / recorded, left: 0.0, mean }))
}

fn too_few(path: &str, span: Span, reason: &str) -> PlanError {
    let message = format!("there are too few packets in {path:?}");
    PlanError::new(span, message, reason, "give a capture with more packets")
}
