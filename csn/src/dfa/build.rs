//! Makes an automaton: field by field, the rules that are left for each value, and equal rests only once.

use super::{Dfa, Edge, Limit, TooLarge, octets, split};
use crate::backends::{Alternative, alternatives};
use crate::field::Field;
use crate::ruleset::RuleSet;
use crate::value::ValueSet;
use std::collections::{BTreeSet, HashMap};

/// What is left of a rule from some field on; equal rests of rules of one class have one number.
type Rest = u32;

/// The rules that are left, in order, and from which field on.
type Position = (usize, Vec<Rest>);

/// The rest of a rule.
struct Facts {
    /// The test of the field that it begins with.
    set: Option<ValueSet>,
    /// The rest behind that field; at the end, the class.
    next: Rest,
    /// The class, where nothing more is tested.
    decides: Option<u32>,
}

struct Builder {
    fields: Vec<Field>,
    rests: Vec<Facts>,
    known: HashMap<Position, u32>,
    states: HashMap<Vec<Edge>, u32>,
    classes: u32,
    limit: Limit,
    steps: usize,
    /// When a rest was last taken into a list, in steps.
    seen: Vec<usize>,
    first: Vec<u32>,
    edges: Vec<Edge>,
    start: u32,
    /// Where all rules that match are wanted: the sets of them that walks end with, by their numbers.
    sets: Option<Sets>,
}

/// Sets of rules, each with a number.
type Sets = HashMap<Vec<u32>, u32>;

/// Added to the number of a set while it is not known how many there are.
const SET: u32 = 1 << 31;

pub(super) fn build(rules: &RuleSet, limit: Limit) -> Result<Dfa, TooLarge> {
    let builder = run(rules, limit, false)?;
    let Builder { fields, first, edges, classes, start, .. } = builder;
    Ok(Dfa { fields, classes, start, first, edges })
}

/// The automaton whose walks end in sets of rules, and the rules of each set.
pub(super) fn build_all(rules: &RuleSet, limit: Limit) -> Result<(Dfa, Vec<Vec<u32>>), TooLarge> {
    let builder = run(rules, limit, true)?;
    let Builder { fields, first, mut edges, mut start, sets, .. } = builder;
    let mut by_number: Vec<Vec<u32>> = vec![Vec::new(); sets.as_ref().map_or(0, HashMap::len)];
    for (set, number) in sets.into_iter().flatten() {
        by_number[number as usize] = set;
    }
    // sets first, then states
    let classes = by_number.len() as u32;
    let renumber = |to: u32| if to >= SET { to - SET } else { to + classes };
    edges.iter_mut().for_each(|e| e.to = renumber(e.to));
    start = renumber(start);
    Ok((Dfa { fields, classes, start, first, edges }, by_number))
}

fn run(rules: &RuleSet, limit: Limit, every: bool) -> Result<Builder, TooLarge> {
    let all = alternatives(rules);
    let tested = |f: &Field| all.iter().any(|a| a.test(*f).is_some());
    let fields: Vec<Field> = Field::ALL.into_iter().filter(tested).collect();
    // states of sets are numbered when all are known
    let classes = if every { 0 } else { rules.classes.len() as u32 };
    let mut builder = Builder {
        fields,
        rests: Vec::new(),
        known: HashMap::new(),
        states: HashMap::new(),
        classes,
        limit,
        steps: 0,
        seen: Vec::new(),
        first: vec![0],
        edges: Vec::new(),
        start: 0,
        sets: every.then(HashMap::new),
    };
    let list = builder.intern(&all);
    let ends = rules.classes.len().max(rules.rules.len());
    builder.seen = vec![0; builder.rests.len().max(ends)];
    builder.start = builder.position(0, &list)?;
    Ok(builder)
}

impl Builder {
    /// The rests of all alternatives from the first field on.
    fn intern(&mut self, all: &[Alternative]) -> Vec<Rest> {
        let mut known: HashMap<(usize, Option<&ValueSet>, Rest), Rest> = HashMap::new();
        let mut out = Vec::with_capacity(all.len());
        for a in all {
            let mut rest = if self.sets.is_some() { a.rule as u32 } else { a.class.0 };
            let mut decides = Some(rest);
            for (i, field) in self.fields.iter().enumerate().rev() {
                let set = a.test(*field);
                decides = decides.filter(|_| set.is_none());
                rest = *known.entry((i, set, rest)).or_insert_with(|| {
                    self.rests.push(Facts { set: set.cloned(), next: rest, decides });
                    self.rests.len() as Rest - 1
                });
            }
            out.push(rest);
        }
        out
    }

    /// What decides without a look at more fields: the first rule that tests nothing more, or the end; where all rules
    /// are wanted, that end's set.
    fn class_of(&mut self, field: usize, list: &[Rest]) -> Option<u32> {
        if let Some(sets) = &mut self.sets {
            // all fields count, unless no rule is left
            if !list.is_empty() && field < self.fields.len() {
                return None;
            }
            let mut set = list.to_vec();
            set.sort_unstable();
            let number = sets.len() as u32;
            return Some(SET | *sets.entry(set).or_insert(number));
        }
        match list.first() {
            None => Some(0),
            Some(class) if field == self.fields.len() => Some(*class),
            Some(rest) => self.rests[*rest as usize].decides,
        }
    }

    /// The state in which the rules of the list are left, before the octets of that field.
    fn position(&mut self, field: usize, list: &[Rest]) -> Result<u32, TooLarge> {
        if let Some(class) = self.class_of(field, list) {
            return Ok(class);
        }
        let position = (field, list.to_vec());
        if let Some(state) = self.known.get(&position) {
            return Ok(*state);
        }
        let name = self.fields[field];
        let families: &[u8] = if name.is_address() { &[4, 6] } else { &[0] };
        let without: Vec<Rest> =
            list.iter().copied().filter(|r| self.rests[*r as usize].set.is_none()).collect();
        let absent = self.after(field, without)?;
        // no other mark is ever packed
        let mut row = vec![Edge { last: 0, to: absent }];
        for family in families {
            let size = octets(name, *family);
            let parts = self.parts(field, list, *family, size)?;
            let to = self.octets(&parts, size)?;
            let mark = (*family).max(1);
            if mark > 1 {
                row.push(Edge { last: mark - 1, to: absent });
            }
            row.push(Edge { last: mark, to });
        }
        row.push(Edge { last: 255, to: absent });
        let state = self.state(row)?;
        self.known.insert(position, state);
        Ok(state)
    }

    /// The position behind a field, for the rests that are left before it.
    fn after(&mut self, field: usize, left: impl IntoIterator<Item = Rest>) -> Result<u32, TooLarge> {
        let mut list = Vec::new();
        let before = self.steps;
        for rest in left {
            self.steps += 1;
            let next = self.rests[rest as usize].next;
            if self.seen[next as usize] <= before {
                self.seen[next as usize] = self.steps;
                list.push(next);
                if self.sets.is_none() && self.class_of(field + 1, &[next]).is_some() {
                    // nothing behind it is ever reached
                    break;
                }
            }
        }
        if self.steps > self.limit.steps { Err(TooLarge) } else { self.position(field + 1, &list) }
    }

    /// The values of a field, all of them, in intervals by what they lead to.
    fn parts(
        &mut self,
        field: usize,
        list: &[Rest],
        family: u8,
        size: usize,
    ) -> Result<Vec<(u128, u128, u32)>, TooLarge> {
        let most = if size == 16 { u128::MAX } else { (1 << (8 * size)) - 1 };
        // at which value a rule of the list comes in, and goes
        let (mut inside, mut changes) = (BTreeSet::new(), Vec::new());
        for (place, rest) in list.iter().enumerate() {
            match &self.rests[*rest as usize].set {
                None => _ = inside.insert(place),
                Some(set) => {
                    for r in set.ranges().iter().filter(|r| r.lo.family == family) {
                        changes.push((r.lo.bits, true, place));
                        changes.extend(r.hi.bits.checked_add(1).map(|end| (end, false, place)));
                    }
                }
            }
        }
        self.steps += list.len() + changes.len();
        changes.sort_unstable();
        let mut out: Vec<(u128, u128, u32)> = Vec::new();
        let (mut from, mut next) = (0, 0);
        loop {
            while let Some((_, comes, place)) = changes.get(next).filter(|c| c.0 == from) {
                if *comes {
                    inside.insert(*place)
                } else {
                    inside.remove(place)
                };
                next += 1;
            }
            let until = changes.get(next).map_or(most, |c| (c.0 - 1).min(most));
            let to = self.after(field, inside.iter().map(|p| list[*p]))?;
            match out.last_mut() {
                Some(last) if last.2 == to => last.1 = until,
                _ => out.push((from, until, to)),
            }
            if until == most {
                return Ok(out);
            }
            from = until + 1;
        }
    }

    /// The state before the `size` octets of a value.
    fn octets(&mut self, parts: &[(u128, u128, u32)], size: usize) -> Result<u32, TooLarge> {
        if size == 0 {
            return Ok(parts[0].2);
        }
        let mut row = Vec::new();
        for (_, last, parts) in split(parts, size) {
            let to = self.octets(&parts, size - 1)?;
            row.push(Edge { last, to });
        }
        self.state(row)
    }

    /// The state with these edges, which have every octet.
    fn state(&mut self, mut row: Vec<Edge>) -> Result<u32, TooLarge> {
        row.reverse();
        row.dedup_by_key(|e| e.to);
        row.reverse();
        // an accepting state needs no more octets
        if let [Edge { to, .. }] = row.as_slice()
            && (*to < self.classes || *to >= SET)
        {
            return Ok(*to);
        }
        if let Some(state) = self.states.get(&row) {
            return Ok(*state);
        }
        if self.first.len() > self.limit.states {
            return Err(TooLarge);
        }
        let state = self.classes + self.first.len() as u32 - 1;
        self.edges.extend(&row);
        self.first.push(self.edges.len() as u32);
        self.states.insert(row, state);
        Ok(state)
    }
}
