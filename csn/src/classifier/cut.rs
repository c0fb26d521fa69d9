//! Where to cut a list of rows.
//!
//! A cut takes one slot and parts its ranks wherever a row begins or ends, so that below it the slot is settled.
//! Between slots that one is chosen behind which the lists are shortest, for packets spread over the rows.

use super::ranks::Rank;
use super::rows::Rows;

/// What ranks are possible at a place in the tree, slot by slot.
pub type Shape = Vec<(Rank, Rank)>;

/// A row that stands in more children than this goes beside them, where rows would stand in too many altogether.
const NARROW: usize = 4;

/// A cut of one slot.
pub struct Cut {
    /// The slot.
    pub slot: usize,
    /// The first ranks of all parts but the first, ascending.
    pub bounds: Vec<Rank>,
    /// Rows that stand beside the parts, ascending.
    pub wide: Vec<u32>,
}

/// What the rows of a list look like in one slot.
struct Profile {
    bounds: Vec<Rank>,
    /// Rows in all parts together.
    sum: usize,
    /// The same of their squares.
    squares: u128,
}

impl Profile {
    fn new(intervals: &[(Rank, Rank)], (first, last): (Rank, Rank)) -> Self {
        let mut begins: Vec<Rank> = intervals.iter().map(|i| i.0).filter(|lo| *lo > first).collect();
        let mut ends: Vec<Rank> =
            intervals.iter().map(|i| i.1).filter(|hi| *hi < last).map(|hi| hi + 1).collect();
        begins.sort_unstable();
        ends.sort_unstable();
        let mut bounds: Vec<Rank> = begins.iter().chain(&ends).copied().collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut now = intervals.len() - begins.len();
        let (mut sum, mut squares) = (now, (now as u128).pow(2));
        let (mut b, mut e) = (0, 0);
        for bound in &bounds {
            while begins.get(b) == Some(bound) {
                now += 1;
                b += 1;
            }
            while ends.get(e) == Some(bound) {
                now -= 1;
                e += 1;
            }
            sum += now;
            squares += (now as u128).pow(2);
        }
        Self { bounds, sum, squares }
    }

    /// How long the list is that a packet meets, on average over rows and the parts that they stand in.
    fn expected(&self) -> f64 {
        self.squares as f64 / self.sum as f64
    }
}

/// The best cut of a list in one of the `open` slots; none where no cut is worth it. At most `copies` times as many
/// rows stand in the parts as in the list; rows stand beside the parts only where there `may_rest`.
pub fn choose(
    rows: &Rows,
    list: &[u32],
    open: &[usize],
    shape: &Shape,
    copies: usize,
    may_rest: bool,
) -> Option<Cut> {
    let mut best: Option<(f64, Cut)> = None;
    let mut offer = |cost: f64, cut: Cut| {
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, cut));
        }
    };
    for &slot in open {
        let ends = shape[slot];
        let intervals: Vec<(Rank, Rank)> =
            list.iter().map(|r| clipped(rows.interval(*r, slot), ends)).collect();
        let profile = Profile::new(&intervals, ends);
        if profile.bounds.is_empty() {
            continue;
        }
        if profile.sum <= copies * list.len() {
            offer(profile.expected(), Cut { slot, bounds: profile.bounds, wide: vec![] });
            continue;
        }
        if !may_rest {
            if let Some((cost, bound)) = halves(&intervals, &profile.bounds) {
                offer(cost, Cut { slot, bounds: vec![bound], wide: vec![] });
            }
            continue;
        }
        let parts = |(lo, hi): &(Rank, Rank)| {
            let at = |rank: Rank| profile.bounds.partition_point(|b| *b <= rank);
            at(*hi) - at(*lo) + 1
        };
        let most = copies.min(NARROW);
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        for (row, interval) in list.iter().zip(&intervals) {
            if parts(interval) > most { wide.push(*row) } else { narrow.push(*interval) }
        }
        if narrow.is_empty() || wide.is_empty() {
            continue;
        }
        let profile = Profile::new(&narrow, ends);
        offer(profile.expected() + wide.len() as f64, Cut { slot, bounds: profile.bounds, wide });
    }
    let (cost, cut) = best?;
    (cost < 0.95 * list.len() as f64).then_some(cut)
}

/// One cut into two halves, with few rows in both of them; and the longer half's rows.
fn halves(intervals: &[(Rank, Rank)], bounds: &[Rank]) -> Option<(f64, Rank)> {
    let mut begins: Vec<Rank> = intervals.iter().map(|i| i.0).collect();
    let mut ends: Vec<Rank> = intervals.iter().map(|i| i.1).collect();
    begins.sort_unstable();
    ends.sort_unstable();
    let n = intervals.len();
    let cost = |bound: Rank| {
        let left = begins.partition_point(|b| *b < bound);
        let right = n - ends.partition_point(|e| *e < bound);
        (left + right <= n + n / 8).then_some(left.max(right))
    };
    let (cost, bound) = bounds.iter().filter_map(|b| Some((cost(*b)?, *b))).min()?;
    Some((cost as f64, bound))
}

/// The rows of each part, in order.
pub fn split(rows: &Rows, list: &[u32], slot: usize, bounds: &[Rank]) -> Vec<Vec<u32>> {
    let mut parts = vec![Vec::new(); bounds.len() + 1];
    for row in list {
        let (lo, hi) = rows.interval(*row, slot);
        let at = |rank: Rank| bounds.partition_point(|b| *b <= rank);
        parts[at(lo)..=at(hi)].iter_mut().for_each(|p| p.push(*row));
    }
    parts
}

fn clipped((lo, hi): (Rank, Rank), (first, last): (Rank, Rank)) -> (Rank, Rank) {
    (lo.max(first), hi.min(last))
}
