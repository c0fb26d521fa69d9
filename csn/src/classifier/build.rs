//! From rows to the tree: which slot to look at first, and where to cut it.

use super::cut::{self, Cut, Shape};
use super::ranks::{Rank, Ranks};
use super::rows::Rows;
use super::tree::{Link, NO_ROW, PENDING, Tree};
use std::collections::HashMap;

/// Lists of at most this many rows are not cut any further.
const SHORT: usize = 8;

/// A path with more nodes than this ends in a leaf.
const DEEPEST: usize = 64;

/// How often a row may stand in the children of one node, on average: tried in this order, until the tree is small
/// enough. At 1 no row is in two children, so that a tree has at most as many rows as there are, on every level.
const COPIES: [usize; 4] = [16, 4, 2, 1];

/// How many links a table may have for each child and each copy that is allowed; longer ones become bounds. A table is
/// the faster the more it is used: bounds cost a search.
const ROOM: usize = 8;

/// Builds the tree of all rows.
pub fn tree(rows: &Rows, ranks: &[Ranks]) -> Tree {
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let whole: Shape = ranks.iter().map(|r| (0, r.last)).collect();
    for copies in COPIES {
        let budget = if copies == 1 { usize::MAX } else { (1 << 16) + 64 * rows.len() };
        let mut builder = Builder { rows, tree: Tree::new(), known: HashMap::new(), copies, left: budget };
        if let Some(root) = builder.build(all.clone(), &whole, Place::default()) {
            builder.tree.root = root;
            return builder.tree;
        }
    }
    unreachable!("the last round has no budget to exceed")
}

/// Where in the tree a list stands.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    /// Pairs of trees on the path that leads here.
    pairs: usize,
}

struct Builder<'a> {
    rows: &'a Rows,
    tree: Tree,
    /// What was built before, by rows and by what is still open of their tests.
    known: HashMap<Vec<u32>, Link>,
    copies: usize,
    /// How many more rows and links may be stored.
    left: usize,
}

impl Builder<'_> {
    /// The tree of a list of rows, all of which have something in `shape`. None where the budget is used up.
    fn build(&mut self, mut list: Vec<u32>, shape: &Shape, place: Place) -> Option<Link> {
        self.drop_covered(&mut list, shape);
        if list.is_empty() {
            return Some(Link::NOTHING);
        }
        let open = self.open_slots(&list, shape);
        let key = key(&list, &open, shape, place);
        if let Some(link) = self.known.get(&key) {
            return Some(*link);
        }
        self.left = self.left.checked_sub(list.len())?;
        let cut = if list.len() <= SHORT || place.depth >= DEEPEST {
            None
        } else {
            cut::choose(self.rows, &list, &open, shape, self.copies, place.pairs < PENDING)
        };
        let link = match cut {
            None => self.leaf(&list, &open),
            Some(cut) => self.node(list, cut, shape, place)?,
        };
        self.known.insert(key, link);
        Some(link)
    }

    /// Removes what comes behind a row that accepts all of `shape`.
    fn drop_covered(&self, list: &mut Vec<u32>, shape: &Shape) {
        let covers = |row: &u32| {
            self.rows.also[*row as usize].is_empty()
                && shape.iter().enumerate().all(|(slot, ends)| self.rows.spans(*row, slot, *ends))
        };
        if let Some(at) = list.iter().position(covers) {
            list.truncate(at + 1);
        }
    }

    /// The slots in which some row does not accept all of `shape`.
    fn open_slots(&self, list: &[u32], shape: &Shape) -> Vec<usize> {
        let open = |slot: &usize| list.iter().any(|row| !self.rows.spans(*row, *slot, shape[*slot]));
        (0..shape.len()).filter(open).collect()
    }

    fn leaf(&mut self, list: &[u32], open: &[usize]) -> Link {
        let of = |row: &u32| (*row, open.iter().map(|slot| self.rows.interval(*row, *slot)).collect());
        self.tree.leaf(open, &list.iter().map(of).collect::<Vec<_>>())
    }

    fn node(&mut self, list: Vec<u32>, cut: Cut, shape: &Shape, place: Place) -> Option<Link> {
        let Cut { slot, bounds, wide } = cut;
        let mut below = Place { depth: place.depth + 1, ..place };
        if wide.is_empty() {
            return self.parts(&list, slot, &bounds, shape, below);
        }
        below.pairs += 1;
        let narrow: Vec<u32> = list.iter().copied().filter(|r| wide.binary_search(r).is_err()).collect();
        drop(list);
        let main = self.parts(&narrow, slot, &bounds, shape, below)?;
        drop(narrow);
        let first = wide.first().copied().unwrap_or(NO_ROW);
        let beside = self.build(wide, shape, below)?;
        Some(self.tree.pair(main, beside, first))
    }

    /// The parts of a cut.
    fn parts(
        &mut self,
        list: &[u32],
        slot: usize,
        bounds: &[Rank],
        shape: &Shape,
        below: Place,
    ) -> Option<Link> {
        let (first, last) = shape[slot];
        let mut part_shape = shape.clone();
        let mut children = Vec::with_capacity(bounds.len() + 1);
        for (i, part) in cut::split(self.rows, list, slot, bounds).into_iter().enumerate() {
            let lo = if i == 0 { first } else { bounds[i - 1] };
            let hi = bounds.get(i).map_or(last, |b| b - 1);
            part_shape[slot] = (lo, hi);
            children.push(self.build(part, &part_shape, below)?);
        }
        let ranks = (last - first) as usize + 1;
        if ranks > ROOM * self.copies * children.len() {
            self.left = self.left.checked_sub(2 * children.len())?;
            return Some(self.tree.bounded(slot, bounds, &children));
        }
        self.left = self.left.checked_sub(ranks)?;
        let mut at = 0;
        let of_rank = |rank: Rank| {
            at += usize::from(bounds.get(at).is_some_and(|b| *b <= rank));
            children[at]
        };
        Some(self.tree.table(slot, first, (first..=last).map(of_rank)))
    }
}

/// What makes two subtrees the same: rows, and the part of the shape in which these differ.
fn key(list: &[u32], open: &[usize], shape: &Shape, place: Place) -> Vec<u32> {
    let mut key = Vec::with_capacity(list.len() + 3 * open.len() + 2);
    key.push(place.pairs as u32);
    key.push(list.len() as u32);
    key.extend(list);
    for slot in open {
        key.extend([*slot as u32, shape[*slot].0 as u32, shape[*slot].1 as u32]);
    }
    key
}
