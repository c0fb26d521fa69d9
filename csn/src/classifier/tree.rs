//! The decision tree as it is stored, and the walk through it.
//!
//! What a [`Link`] leads to says the link itself, so that a step costs one look into memory: a table of links by rank,
//! bounds between which links stand, two trees beside each other, or a leaf, which is a short list of rows that are
//! tested [`LANES`] at a time. Of two trees the second is walked only while it may hold an earlier row than the first.

use super::ranks::Rank;

/// Rows of a leaf that are tested at once.
const LANES: usize = 4;

/// Trees that can be pending in a walk. The builder puts at most so many beside each other on any path.
pub const PENDING: usize = 16;

/// No row. Larger than every row.
pub const NO_ROW: u32 = u32::MAX;

/// The ranks of a packet, slot by slot; 32, so that a masked index needs no check.
pub type Point = [Rank; 32];

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// In a table, in front of the link of rank 0, wrapping; else a place in what the kind says.
    at: u32,
    slot: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A link for each rank of the slot, in `links`.
    Table,
    /// In `bounded`.
    Bounded,
    /// In `pairs`.
    Pair,
    /// In `lanes`.
    Leaf,
    /// No rows.
    Nothing,
}

/// Links that stand between bounds.
#[derive(Clone, Copy, Debug)]
struct Bounded {
    bounds: u32,
    links: u32,
    count: u32,
}

/// Two trees.
#[derive(Clone, Copy, Debug)]
struct Pair {
    main: Link,
    beside: Link,
    /// The first row of the tree beside.
    first: u32,
}

/// A row of a leaf, and its intervals in the slots that the leaf tests.
pub type Entry = (u32, Vec<(Rank, Rank)>);

/// A decision tree over rows.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where walks start.
    pub root: Link,
    links: Vec<Link>,
    bounds: Vec<Rank>,
    bounded: Vec<Bounded>,
    pairs: Vec<Pair>,
    /// Per leaf: the number of blocks, the number of slots, the slots; then per block the rows, and per slot the
    /// first ranks and the last ranks.
    lanes: Vec<[Rank; LANES]>,
}

impl Link {
    /// No rows at all.
    pub const NOTHING: Link = Link { at: 0, slot: 0, kind: Kind::Nothing };
}

impl Tree {
    /// A tree without rows.
    pub fn new() -> Self {
        Self {
            root: Link::NOTHING,
            links: vec![],
            bounds: vec![],
            bounded: vec![],
            pairs: vec![],
            lanes: vec![],
        }
    }

    /// Leads ranks of a slot from `base` on to `children`, one for each rank.
    pub fn table(&mut self, slot: usize, base: Rank, children: impl Iterator<Item = Link>) -> Link {
        let at = (self.links.len() as u32).wrapping_sub(base as u32);
        self.links.extend(children);
        Link { at, slot: slot as u8, kind: Kind::Table }
    }

    /// Leads ranks of a slot to the child between whose bounds they are. The first child is for ranks below the first
    /// bound.
    pub fn bounded(&mut self, slot: usize, bounds: &[Rank], children: &[Link]) -> Link {
        self.bounded.push(Bounded {
            bounds: self.bounds.len() as u32,
            links: self.links.len() as u32,
            count: bounds.len() as u32,
        });
        self.bounds.extend(bounds);
        self.links.extend(children);
        Link { at: self.bounded.len() as u32 - 1, slot: slot as u8, kind: Kind::Bounded }
    }

    /// Two trees; `first` is the first row of the one beside.
    pub fn pair(&mut self, main: Link, beside: Link, first: u32) -> Link {
        self.pairs.push(Pair { main, beside, first });
        Link { at: self.pairs.len() as u32 - 1, slot: 0, kind: Kind::Pair }
    }

    /// A leaf of rows, ascending, which are tested in `slots`.
    pub fn leaf(&mut self, slots: &[usize], rows: &[Entry]) -> Link {
        let at = self.lanes.len() as u32;
        let blocks = rows.len().div_ceil(LANES) as Rank;
        let head: Vec<Rank> =
            [blocks, slots.len() as Rank].into_iter().chain(slots.iter().map(|s| *s as Rank)).collect();
        let four = |of: &[Rank]| std::array::from_fn(|i| of.get(i).copied().unwrap_or(0));
        self.lanes.extend(head.chunks(LANES).map(four));
        for block in rows.chunks(LANES) {
            let lane =
                |of: &dyn Fn(&Entry) -> Rank, none| std::array::from_fn(|i| block.get(i).map_or(none, of));
            // a lane without a row holds no row
            self.lanes.push(lane(&|r| r.0 as Rank, NO_ROW as Rank));
            for i in 0..slots.len() {
                self.lanes.push(lane(&|r| r.1[i].0, Rank::MAX));
                self.lanes.push(lane(&|r| r.1[i].1, Rank::MIN));
            }
        }
        Link { at, slot: 0, kind: Kind::Leaf }
    }

    /// Octets that the tree takes.
    pub fn octets(&self) -> usize {
        size_of_val(&self.links[..])
            + size_of_val(&self.bounds[..])
            + size_of_val(&self.bounded[..])
            + size_of_val(&self.pairs[..])
            + size_of_val(&self.lanes[..])
    }

    /// The first row whose box holds the point and that `also` accepts; else [`NO_ROW`].
    #[inline]
    pub fn first(&self, point: &Point, also: impl Fn(u32) -> bool) -> u32 {
        let mut best = NO_ROW;
        let mut pending = [(Link::NOTHING, NO_ROW); PENDING];
        let mut waiting = 0;
        let mut link = self.root;
        loop {
            match link.kind {
                Kind::Table => {
                    let rank = point[usize::from(link.slot) & 31];
                    link = self.links[link.at.wrapping_add(rank as u32) as usize];
                    continue;
                }
                Kind::Bounded => {
                    link = self.between(link, point);
                    continue;
                }
                Kind::Pair => {
                    let pair = &self.pairs[link.at as usize];
                    link = pair.main;
                    if pair.first < best {
                        pending[waiting] = (pair.beside, pair.first);
                        waiting += 1;
                    }
                    continue;
                }
                Kind::Leaf => best = best.min(self.scan(link, point, &also)),
                Kind::Nothing => {}
            }
            loop {
                if waiting == 0 {
                    return best;
                }
                waiting -= 1;
                if pending[waiting].1 < best {
                    link = pending[waiting].0;
                    break;
                }
            }
        }
    }

    fn between(&self, link: Link, point: &Point) -> Link {
        let rank = point[usize::from(link.slot) & 31];
        let node = &self.bounded[link.at as usize];
        let bounds = &self.bounds[node.bounds as usize..][..node.count as usize];
        self.links[node.links as usize + bounds.partition_point(|b| *b <= rank)]
    }

    /// The first row of a leaf that accepts the point; else [`NO_ROW`].
    #[inline]
    fn scan(&self, leaf: Link, point: &Point, also: &impl Fn(u32) -> bool) -> u32 {
        let lanes = &self.lanes[leaf.at as usize..];
        let head = lanes.as_flattened();
        let (blocks, count) = (head[0] as usize, head[1] as usize);
        let slots = &head[2..2 + count];
        let step = 1 + 2 * count;
        for block in lanes[(2 + count).div_ceil(LANES)..].chunks_exact(step).take(blocks) {
            let mut outside = [0; LANES];
            for (slot, ends) in slots.iter().zip(block[1..].chunks_exact(2)) {
                let rank = point[*slot as usize & 31];
                for i in 0..LANES {
                    outside[i] |= Rank::from(ends[0][i] > rank) | Rank::from(rank > ends[1][i]);
                }
            }
            let mut hits = (0..LANES).fold(0, |hits, i| hits | u32::from(outside[i] == 0) << i);
            while hits != 0 {
                let row = block[0][hits.trailing_zeros() as usize % LANES] as u32;
                if row == NO_ROW || also(row) {
                    return row;
                }
                hits &= hits - 1;
            }
        }
        NO_ROW
    }
}
