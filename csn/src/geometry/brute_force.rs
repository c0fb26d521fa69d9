//! Every answer against brute force: random rule sets on few values of few fields, all of whose packets are listed.

use super::reach::Status;
use super::shapes::SHAPES;
use super::survey::Bounds;
use super::*;
use crate::key::Key;
use crate::mix::Miss;
use crate::ruleset::{ClassId, Rule};
use crate::sample::Random;
use crate::value::{Range, Value, ValueSet};

/// How many rule sets are drawn; `CSNBENCH_SETS` says otherwise.
fn sets() -> usize {
    std::env::var("CSNBENCH_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// Fields with the number of their bits that are used; 12 at most in all.
const UNIVERSES: &[&[(Field, u32)]] = &[
    &[(Field::SrcPort, 4), (Field::DstPort, 4)],
    &[(Field::Vlan, 4), (Field::Ttl, 4)],
    &[(Field::Tos, 3), (Field::SrcPort, 3), (Field::DstPort, 3)],
    &[(Field::Ttl, 3), (Field::Vlan, 3), (Field::DstPort, 3)],
    &[(Field::SrcIp, 3), (Field::DstIp, 3), (Field::DstPort, 3)],
    &[(Field::Dscp, 4), (Field::Length, 4)],
    &[(Field::SrcMac, 4), (Field::DstMac, 4)],
];

/// One universe: its packets are UDP in IPv4, all fields but these alike.
struct Universe {
    fields: &'static [(Field, u32)],
    keys: Vec<Key>,
}

/// The lowest value of a field: later ones follow.
fn base(field: Field) -> Value {
    match field {
        Field::SrcIp | Field::DstIp => Value { family: 4, bits: 0x0a00_0000 },
        Field::Length => Value::number(100),
        _ => Value::number(0),
    }
}

fn value(field: Field, n: u128) -> Value {
    let base = base(field);
    Value { bits: base.bits + n, ..base }
}

impl Universe {
    fn new(fields: &'static [(Field, u32)]) -> Self {
        let mut key = Key::new();
        for (f, v) in [
            (Field::Interface, 1),
            (Field::SrcMac, 2),
            (Field::DstMac, 3),
            (Field::EtherType, 0x0800),
            (Field::Vlan, 0),
            (Field::Proto, 17),
            (Field::Dscp, 0),
            (Field::Tos, 0),
            (Field::Ttl, 0),
            (Field::Length, 100),
            (Field::Fragment, 0),
            (Field::SrcPort, 0),
            (Field::DstPort, 0),
        ] {
            key.set_number(f, v);
        }
        key.set(Field::SrcIp, base(Field::SrcIp));
        key.set(Field::DstIp, base(Field::DstIp));
        let mut keys = vec![key];
        for (field, bits) in fields {
            let with = |k: &Key, n: u128| {
                let mut k = *k;
                k.set(*field, value(*field, n));
                match field {
                    Field::Dscp => k.set_number(Field::Tos, n << 2),
                    Field::Tos => k.set_number(Field::Dscp, n >> 2),
                    _ => {}
                }
                k
            };
            keys = keys.iter().flat_map(|k| (0..1u128 << bits).map(move |n| with(k, n))).collect();
        }
        Self { fields, keys }
    }

    /// What every rule tests besides, so that it matches packets of the universe only: then what is true of these is
    /// true of all.
    fn fence(&self) -> Vec<(Field, ValueSet)> {
        // all packets have MAC addresses
        let all = if self.is_link() {
            &[][..]
        } else {
            &[Field::Proto, Field::Fragment, Field::SrcIp, Field::DstIp]
        };
        let here = |f: &Field| !self.fields.iter().any(|(g, _)| g == f);
        let value = |f: Field| ValueSet::single(self.keys[0].get(f).unwrap());
        all.iter().copied().filter(here).map(|f| (f, value(f))).collect()
    }

    /// Whether replies to packets of the universe are of it.
    fn is_symmetric(&self) -> bool {
        self.fields.iter().all(|(f, _)| self.fields.iter().any(|(g, _)| *f != *g && *g == f.reversed()))
    }

    fn is_link(&self) -> bool {
        self.fields.iter().all(|(f, _)| matches!(f, Field::SrcMac | Field::DstMac))
    }

    fn all(field: Field, bits: u32) -> Range {
        Range::new(value(field, 0), value(field, (1 << bits) - 1))
    }

    /// An interval, a prefix, some values or all of the field.
    fn set(random: &mut Random, field: Field, bits: u32) -> ValueSet {
        let size = 1u128 << bits;
        let one = |random: &mut Random| u128::from(random.below(size as usize) as u64);
        match random.below(8) {
            0 | 1 => Self::all(field, bits).into(),
            2..4 => ValueSet::single(value(field, one(random))),
            4 => {
                let n: Vec<u128> = (0..1 + random.below(3)).map(|_| one(random)).collect();
                let single = |n: u128| Range::new(value(field, n), value(field, n));
                ValueSet::from_ranges(n.into_iter().map(single))
            }
            5 => {
                let width = 1u128 << random.below(bits as usize);
                let lo = one(random) / width * width;
                Range::new(value(field, lo), value(field, lo + width - 1)).into()
            }
            _ => {
                let (a, b) = (one(random), one(random));
                Range::new(value(field, a.min(b)), value(field, a.max(b))).into()
            }
        }
    }

    fn rule(&self, random: &mut Random, classes: usize) -> Rule {
        let mut tests = self.fence();
        for (field, bits) in self.fields {
            tests.push((*field, Self::set(random, *field, *bits)));
        }
        tests.sort_by_key(|(f, _)| *f);
        let class = ClassId(1 + random.below(classes) as u32);
        let both = self.is_symmetric() && random.chance(15);
        Rule { class, tests, both, span: Default::default() }
    }

    fn rules(&self, random: &mut Random) -> RuleSet {
        let classes = 1 + random.below(3);
        let mut set = RuleSet::default();
        for number in 1..=classes as u32 {
            set.classes.push(crate::ruleset::Class { number, name: None, span: Default::default() });
        }
        for _ in 0..1 + random.below(12) {
            let mut rule = self.rule(random, classes);
            // one field away from an earlier rule, or the same, and often where nothing lies between
            if !set.rules.is_empty() && random.chance(40) {
                let earlier = &set.rules[random.below(set.rules.len())];
                let (field, bits) = self.fields[random.below(self.fields.len())];
                rule = Rule {
                    class: if random.chance(70) { earlier.class } else { rule.class },
                    ..earlier.clone()
                };
                if random.chance(80)
                    && let Some(test) = rule.tests.iter_mut().find(|(f, _)| *f == field)
                {
                    test.1 = Self::set(random, field, bits);
                }
            }
            set.rules.push(rule);
        }
        set
    }
}

/// What listing all packets says: which rules match each of them.
struct Truth<'a> {
    rules: &'a RuleSet,
    keys: &'a [Key],
    /// For every packet the rules that match it, ascending.
    matching: Vec<Vec<usize>>,
}

impl<'a> Truth<'a> {
    fn new(rules: &'a RuleSet, keys: &'a [Key]) -> Self {
        let of = |k: &Key| (0..rules.rules.len()).filter(|i| rules.rules[*i].matches(k)).collect();
        Self { rules, keys, matching: keys.iter().map(of).collect() }
    }

    fn first(&self, rule: usize) -> usize {
        self.matching.iter().filter(|m| m.first() == Some(&rule)).count()
    }

    fn overlap(&self, a: usize, b: usize) -> bool {
        self.matching.iter().any(|m| m.contains(&a) && m.contains(&b))
    }

    fn class(&self, rule: usize) -> ClassId {
        self.rules.rules[rule].class
    }

    /// Whether the rules differ in just that field, and no rule of another class between them overlaps the later one.
    fn may_merge(&self, a: usize, b: usize, field: Field) -> bool {
        let (x, y) = (&self.rules.rules[a], &self.rules.rules[b]);
        let alike = x.tests.iter().zip(&y.tests).all(|(s, t)| s.0 == t.0 && (s.0 == field || s.1 == t.1));
        let between = |k: usize| self.class(k) != self.class(b) && self.overlap(k, b);
        alike && x.both == y.both && self.class(a) == self.class(b) && !(a + 1..b).any(between)
    }

    /// Groups of rules that could be one, worked out in the plainest way.
    fn merges(&self) -> Vec<Merge> {
        let alive: Vec<usize> = (0..self.rules.rules.len()).filter(|i| self.first(*i) > 0).collect();
        let mut out = Vec::new();
        for (field, _) in &self.rules.rules[0].tests {
            let mut groups: Vec<Vec<usize>> = Vec::new();
            for &i in &alive {
                let fits = |g: &&mut Vec<usize>| self.may_merge(g[0], i, *field);
                // the last group of rules that are alike is the one that is still open
                let alike = |g: &Vec<usize>| {
                    let (x, y) = (&self.rules.rules[g[0]], &self.rules.rules[i]);
                    let same = x.tests.iter().zip(&y.tests).all(|(s, t)| s.0 == *field || s.1 == t.1);
                    same && x.class == y.class && x.both == y.both
                };
                match groups.iter_mut().rev().find(|g| alike(g)).filter(fits) {
                    Some(group) => group.push(i),
                    None => groups.push(vec![i]),
                }
            }
            let several = groups.into_iter().filter(|g| g.len() > 1);
            out.extend(several.map(|rules| Merge { rules, field: *field }));
        }
        out.sort();
        out
    }

    /// Comparisons of a linear meter that gets every packet of the universe once.
    fn comparisons(&self, rules: &RuleSet) -> f64 {
        let of = |k: &Key| rules.classify(k).rule.map_or(rules.rules.len(), |i| i + 1);
        self.keys.iter().map(of).sum::<usize>() as f64 / self.keys.len() as f64
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9 * (1.0 + a.abs())
}

/// Draws rule sets and calls `check` with the truth about each.
fn for_all(seed: u64, check: impl Fn(&Truth, &Geometry, &Universe, &mut Random)) {
    let mut random = Random::new(seed);
    let universes: Vec<Universe> = UNIVERSES.iter().map(|f| Universe::new(f)).collect();
    for i in 0..sets() {
        let universe = &universes[i % universes.len()];
        let rules = universe.rules(&mut random);
        let truth = Truth::new(&rules, &universe.keys);
        check(&truth, &Geometry::new(&rules), universe, &mut random);
    }
}

/// Some packet of a box.
fn packet(region: &Region, random: &mut Random) -> Key {
    region.to_key(&mut |_, s| s.nth(random.wide() % s.len()).unwrap())
}

#[test]
fn reach_overlaps_and_classes_equal_brute_force() {
    let unknown = std::cell::Cell::new(0);
    for_all(11, |truth, geometry, _, random| {
        let rules = truth.rules;
        let survey = geometry.survey(Bounds::CHECK);
        // within any bounds an answer is right, or is none
        let bounds = Bounds { pairs: random.below(60) as u64, covers: random.below(300) as u64 };
        let hasty = geometry.survey(bounds);
        assert_eq!(hasty.overlapped.len(), hasty.compared);
        let mut pairs = Vec::new();
        for i in 0..rules.rules.len() {
            let first = truth.first(i);
            match &hasty.status[i] {
                Status::Unknown => unknown.set(unknown.get() + 1),
                status => assert_eq!(status.is_dead(), first == 0, "rule {i} of {rules:?}"),
            }
            if i < hasty.compared {
                assert_eq!(hasty.blocked[i], survey.blocked[i], "rule {i} of {rules:?}");
            }
            assert_eq!(survey.status[i].is_dead(), first == 0, "rule {i} of {rules:?}");
            match geometry.reach(i) {
                Reach::Reachable(r) => assert_eq!(rules.classify(&packet(&r, random)).rule, Some(i)),
                Reach::Covered(by) => {
                    assert_eq!(first, 0, "rule {i} of {rules:?}");
                    let own = truth.matching.iter().filter(|m| m.contains(&i));
                    assert!(own.into_iter().all(|m| m.iter().any(|k| *k < i && by.contains(k))), "{by:?}");
                }
                other => panic!("{other:?}: rule {i} of {rules:?}"),
            }
            let earlier: Vec<usize> = (0..i).filter(|e| truth.overlap(*e, i)).collect();
            let others = earlier.iter().filter(|e| truth.class(**e) != truth.class(i));
            assert_eq!(survey.blocked[i], others.clone().max().copied());
            let told = others.filter(|e| first > 0 && truth.first(**e) > 0).count();
            assert_eq!(survey.overlapped[i].count, told, "rule {i} of {rules:?}");
            pairs.extend(earlier.into_iter().map(|e| (e, i)));
            // the pieces of what a rule is the first to match are all of it, once
            let pieces = geometry.witness_regions(i, usize::MAX);
            let inside: usize =
                truth.keys.iter().map(|k| pieces.iter().filter(|p| p.contains(k)).count()).sum();
            assert_eq!(inside, first, "rule {i} of {rules:?}");
        }
        pairs.sort_unstable();
        assert_eq!(geometry.overlaps(), pairs, "{rules:?}");
        let idle = |c: &ClassId| {
            let mut own = (0..rules.rules.len()).filter(|i| truth.class(*i) == *c).peekable();
            own.peek().is_some() && own.all(|i| truth.first(i) == 0)
        };
        let idle: Vec<ClassId> = (0..rules.classes.len() as u32).map(ClassId).filter(idle).collect();
        assert_eq!(diagnose::idle_classes(rules, &survey), idle, "{rules:?}");
    });
    assert!(unknown.get() > 0, "no bound was reached");
}

#[test]
fn others_and_near_misses_equal_brute_force() {
    for_all(12, |truth, geometry, universe, random| {
        // rules that say the same of this universe, and nothing of packets outside of it: these are all left to the
        // rules behind, which match everything but the packets of the universe
        let rules = truth.rules;
        let mut fenced = rules.clone();
        let inside = universe
            .fence()
            .into_iter()
            .chain(universe.fields.iter().map(|(f, bits)| (*f, Universe::all(*f, *bits).into())));
        for (field, set) in inside {
            let outside = field.domain().subtract(&set);
            let rule = Rule { tests: vec![(field, outside)], ..rules.rules[0].clone() };
            fenced.rules.push(rule);
        }
        let whole = Geometry::new(&fenced);
        let left = truth.matching.iter().any(Vec::is_empty);
        // what lacks one of the fields is left as well, so others of the universe are asked for by a last rule
        let mut probe = fenced.clone();
        let mut all = universe.fence();
        all.extend(universe.fields.iter().map(|(f, bits)| (*f, Universe::all(*f, *bits).into())));
        all.sort_by_key(|(f, _)| *f);
        probe.rules.push(Rule { tests: all, ..rules.rules[0].clone() });
        let last = Geometry::new(&probe).reach(probe.rules.len() - 1);
        assert_eq!(matches!(last, Reach::Reachable(_)), left, "{rules:?}");
        // packets without a field that rules test are always left; all have MAC addresses
        assert!(matches!(geometry.others(), Reach::Reachable(_)));
        assert_eq!(matches!(whole.others(), Reach::Reachable(_)), left || !universe.is_link(), "{rules:?}");
        for region in geometry.others_regions(Miss::Far, 4) {
            assert_eq!(rules.classify(&packet(&region, random)).rule, None);
        }
        for i in 0..rules.rules.len() {
            // packets of the universe first: one field of the rule fails, and no rule matches
            let missed = |k: &Key| {
                let fails = |(f, s): &&(Field, ValueSet)| !s.contains(k.get(*f).unwrap());
                rules.rules[i].tests.iter().filter(fails).count()
            };
            let near =
                (0..truth.keys.len()).any(|k| truth.matching[k].is_empty() && missed(&truth.keys[k]) == 1);
            match whole.near_miss(i) {
                Reach::Reachable(r) => {
                    let key = packet(&r, random);
                    assert_eq!(fenced.classify(&key).rule, None, "{key}");
                    assert_eq!(missed(&key), 1, "{key} of rule {i} of {rules:?}");
                    assert!(near, "{key} of rule {i} of {rules:?}");
                }
                Reach::Covered(_) | Reach::Empty => assert!(!near, "rule {i} of {rules:?}"),
                Reach::Unknown => panic!("rule {i} of {rules:?}"),
            }
        }
    });
}

#[test]
fn merges_equal_brute_force_and_change_no_class() {
    let found = std::cell::Cell::new(0);
    for_all(13, |truth, geometry, _, _| {
        let rules = truth.rules;
        let merges = geometry.merges();
        assert_eq!(merges, truth.merges(), "{rules:?}");
        found.set(found.get() + merges.len());
        let mut merged = rules.clone();
        let mut gone = Vec::new();
        for m in merge::apart(&merges, rules.rules.len()) {
            let values = |i: &usize| rules.rules[*i].test(m.field).unwrap().clone();
            let all = m.rules.iter().map(values).fold(ValueSet::empty(), |all, s| all.union(&s));
            merged.rules[m.rules[0]].tests.iter_mut().find(|(f, _)| *f == m.field).unwrap().1 = all;
            gone.extend(m.rules[1..].iter().copied());
        }
        let mut place = 0..;
        merged.rules.retain(|_| !gone.contains(&place.next().unwrap()));
        for k in truth.keys {
            assert_eq!(merged.classify(k).class, rules.classify(k).class, "{k} in {rules:?}");
        }
    });
    assert!(found.get() * 10 > sets(), "only {} merges", found.get());
}

#[test]
fn orders_keep_every_packet_s_rule_and_save_what_they_say() {
    let saved = std::cell::Cell::new(0);
    for_all(14, |truth, geometry, _, _| {
        let rules = truth.rules;
        let total = truth.keys.len() as f64;
        let shares: Vec<f64> = (0..rules.rules.len()).map(|i| truth.first(i) as f64 / total).collect();
        let others = truth.matching.iter().filter(|m| m.is_empty()).count() as f64 / total;
        let before = truth.comparisons(rules);
        assert!(close(expected_comparisons(rules, &shares, others), before), "{rules:?}");
        let order = geometry.order(&shares, others).unwrap();
        let reordered = order.apply(rules);
        for k in truth.keys {
            let (old, new) = (rules.classify(k), reordered.classify(k));
            assert_eq!(old.class, new.class, "{k} in {rules:?}");
            assert_eq!(old.rule, new.rule.map(|i| order.rules[i]), "{k} in {rules:?}");
        }
        assert!(
            close(order.before, before) && close(order.after, truth.comparisons(&reordered)),
            "{order:?}"
        );
        assert!(order.after <= order.before, "{order:?}");
        saved.set(saved.get() + usize::from(order.saving() > 0.01));
    });
    assert!(saved.get() * 2 > sets(), "only {} orders save anything", saved.get());
}

#[test]
fn the_universes_are_of_one_shape() {
    for fields in UNIVERSES {
        let universe = Universe::new(fields);
        for k in &universe.keys {
            assert_eq!((0..SHAPES.len()).filter(|s| Region::whole(*s).contains(k)).count(), 1, "{k}");
        }
    }
}
