//! Rules that differ in what one key is compared with, put together into one map.

use super::Entry;
use super::matches::{Left, Match};
use crate::ruleset::ClassId;
use crate::value::{Range, Value, ValueSet};
use std::collections::{BTreeMap, HashSet};

/// How many maps back a rule is tried to be moved.
const REACH: usize = 8;

/// A rule of its own, or several in a map.
pub(super) enum Item {
    Rule(Entry),
    Map(Map),
}

/// Rules that make the same comparisons but for those of the key.
pub(super) struct Map {
    /// What all of them compare.
    pub(super) shared: Vec<Match>,
    pub(super) key: Vec<Left>,
    /// For every part of the key an interval, and the class; no two have a packet in common.
    pub(super) elements: Vec<(Vec<Range>, ClassId)>,
    /// How many rules went into it.
    pub(super) rules: usize,
}

/// Puts each rule into the map of an earlier one where no packet is then first matched by another rule than before: it
/// has no packet in common with the rules of that map, nor with any rule that it is moved past.
pub(super) fn grouped(entries: Vec<Entry>) -> Vec<Item> {
    let mut groups: Vec<Group> = Vec::new();
    for entry in entries {
        match place(&mut groups, &entry) {
            Some(place) => {
                for passed in &mut groups[place + 1..] {
                    passed.pinned.extend(passed.apart(&entry).flatten());
                }
            }
            None => groups.push(Group::new(entry)),
        }
    }
    groups.into_iter().map(Group::finish).collect()
}

/// The map that has taken the rule in.
fn place(groups: &mut [Group], entry: &Entry) -> Option<usize> {
    for place in (0..groups.len()).rev().take(REACH) {
        if groups[place].joined(entry) {
            return Some(place);
        }
        groups[place].apart(entry)?;
    }
    None
}

/// A rule, and those that were put to it.
struct Group {
    first: Entry,
    /// The places of comparisons that make up the key, ascending.
    key: Vec<usize>,
    /// The values for the key and the class, by rule.
    rules: Vec<(Vec<ValueSet>, ClassId)>,
    /// The intervals so far where the key has one part: first and last value.
    taken: BTreeMap<Value, Value>,
    /// The values so far where the key has several parts.
    seen: HashSet<Vec<Value>>,
    /// Comparisons that cannot become part of the key, since rules were moved past the group that differ there.
    pinned: HashSet<usize>,
}

impl Group {
    fn new(first: Entry) -> Self {
        Self {
            rules: vec![(Vec::new(), first.class)],
            first,
            key: Vec::new(),
            taken: BTreeMap::new(),
            seen: HashSet::new(),
            pinned: HashSet::new(),
        }
    }

    /// Takes the rule in, where it can be an element of the map.
    fn joined(&mut self, e: &Entry) -> bool {
        let first = &self.first.matches;
        let alike = |(a, b): (&Match, &Match)| a.left == b.left && a.not == b.not;
        if first.len() != e.matches.len() || !first.iter().zip(&e.matches).all(alike) {
            return false;
        }
        let differs = |i: &usize| self.key.contains(i) || first[*i].set != e.matches[*i].set;
        let key: Vec<usize> = (0..first.len()).filter(differs).collect();
        let grows = key != self.key;
        let allowed = |i: &usize| is_key(&first[*i]) && !self.pinned.contains(i);
        if key.is_empty() || grows && !key.iter().all(allowed) {
            return false;
        }
        if grows && !self.grown(&key) {
            return false;
        }
        let sets: Vec<ValueSet> = self.key.iter().map(|i| e.matches[*i].set.clone()).collect();
        let free = self.insert(&sets);
        if free {
            self.rules.push((sets, e.class));
        }
        free
    }

    /// Extends the key; a key of several parts has single values only.
    fn grown(&mut self, key: &[usize]) -> bool {
        let of_rule = |sets: &[ValueSet]| -> Vec<ValueSet> {
            let old = |i| self.key.iter().position(|k| k == i).map(|at| sets[at].clone());
            key.iter().map(|i| old(i).unwrap_or_else(|| self.first.matches[*i].set.clone())).collect()
        };
        let rules: Vec<_> = self.rules.iter().map(|(s, c)| (of_rule(s), *c)).collect();
        if key.len() > 1 && rules.iter().any(|(s, _)| s.iter().any(|s| s.as_single().is_none())) {
            return false;
        }
        self.key = key.to_vec();
        self.taken.clear();
        self.seen.clear();
        for (sets, _) in &rules {
            self.insert(sets);
        }
        self.rules = rules;
        true
    }

    /// Marks the values as taken, where none of them is.
    fn insert(&mut self, sets: &[ValueSet]) -> bool {
        if let [set] = sets {
            let free = |r: &Range| self.taken.range(..=r.hi).next_back().is_none_or(|(_, hi)| *hi < r.lo);
            if !set.ranges().iter().all(free) {
                return false;
            }
            self.taken.extend(set.ranges().iter().map(|r| (r.lo, r.hi)));
            return true;
        }
        let values: Option<Vec<Value>> = sets.iter().map(ValueSet::as_single).collect();
        values.is_some_and(|v| self.seen.insert(v))
    }

    /// That no packet matches both the rule and any of the group: the comparison that tells them apart, where it is
    /// not just the IP version.
    fn apart(&self, e: &Entry) -> Option<Option<usize>> {
        let versions = |(a, b): (&Match, &Match)| version(&a.left).zip(version(&b.left));
        let first = &self.first.matches;
        let pairs = || first.iter().flat_map(|a| e.matches.iter().map(move |b| (a, b)));
        if pairs().filter_map(versions).any(|(a, b)| a != b) {
            return Some(None);
        }
        let differs = |i: &usize| {
            let a = &first[*i];
            let apart = |b: &Match| a.left == b.left && !a.not && !b.not && !a.set.intersects(&b.set);
            !self.key.contains(i) && e.matches.iter().any(apart)
        };
        (0..first.len()).find(differs).map(Some)
    }

    fn finish(self) -> Item {
        if self.rules.len() == 1 {
            return Item::Rule(self.first);
        }
        let mut elements = Vec::new();
        for (sets, class) in &self.rules {
            match sets.as_slice() {
                [set] => elements.extend(set.ranges().iter().map(|r| (vec![*r], *class))),
                many => {
                    let ranges = many.iter().filter_map(|s| s.ranges().first().copied());
                    elements.push((ranges.collect(), *class));
                }
            }
        }
        let (mut shared, mut key) = (Vec::new(), Vec::new());
        for (i, m) in self.first.matches.into_iter().enumerate() {
            if self.key.contains(&i) { key.push(m.left) } else { shared.push(m) }
        }
        Item::Map(Map { shared, key, elements, rules: self.rules.len() })
    }
}

/// The IP version that a comparison asks for.
fn version(left: &Left) -> Option<u8> {
    match left {
        Left::Payload("ip" | "icmp", _) | Left::Masked("ip", ..) => Some(4),
        Left::Payload("ip6" | "icmpv6", _) => Some(6),
        _ => None,
    }
}

/// Whether nft takes it as the key of a map: what has a data type of its own.
fn is_key(m: &Match) -> bool {
    let typed = match &m.left {
        Left::Payload("ip" | "ip6", field) => {
            ["saddr", "daddr", "ttl", "hoplimit", "protocol"].contains(field)
        }
        Left::Payload(..) => true,
        Left::Meta(_) => true,
        _ => false,
    };
    typed && !m.not
}
