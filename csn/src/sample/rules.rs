//! Random rule sets.

use super::Random;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::key::Key;
use crate::packet;
use crate::ruleset::{Class, ClassId, Rule, RuleSet};
use crate::value::{Range, Value, ValueSet};

/// A rule set of `count` rules that test fields of `fields`: either like the paper's (one host pair, one
/// protocol, a port per class) or of any tests, some of which contradict each other or accept nothing.
pub fn rule_set(random: &mut Random, count: usize, fields: &[Field]) -> RuleSet {
    let pools: Vec<(Field, Vec<Value>)> = fields.iter().map(|f| (*f, pool(random, *f))).collect();
    let classes = 1 + random.below(count.clamp(1, 300));
    let mut out = RuleSet::default();
    out.classes.extend((1..=classes as u32).map(|number| Class {
        number,
        name: None,
        span: Span::default(),
    }));
    let wanted = |f: &Field| fields.contains(f);
    let plain = random.chance(25);
    let first: Vec<Field> = [Field::SrcIp, Field::DstIp, Field::Proto].into_iter().filter(wanted).collect();
    let shared: Vec<(Field, ValueSet)> = match plain && wanted(&Field::DstPort) {
        true => first.iter().map(|f| (*f, ValueSet::single(usual(random, *f, &pools)))).collect(),
        false => Vec::new(),
    };
    for _ in 0..count {
        let tests = if shared.is_empty() {
            any_tests(random, &pools)
        } else {
            let port = ValueSet::single(Value::number(2000 + random.below(2 * count) as u128));
            shared.iter().cloned().chain([(Field::DstPort, port)]).collect()
        };
        out.rules.push(Rule {
            class: ClassId(1 + random.below(classes) as u32),
            tests,
            both: random.chance(8),
            span: Span::default(),
        });
    }
    out
}

/// Whether a value of the packet stands at an edge of a test (just inside or just outside), or two rules match.
pub fn is_edge(rules: &RuleSet, key: &Key) -> bool {
    let at_edge = |v: Value, r: &Range| {
        v.family == r.lo.family && [r.lo.bits, r.hi.bits].iter().any(|e| e.abs_diff(v.bits) <= 1)
    };
    let edge = |r: &Rule| {
        r.tests.iter().any(|(f, s)| key.get(*f).is_some_and(|v| s.ranges().iter().any(|r| at_edge(v, r))))
    };
    rules.rules.iter().any(edge) || rules.rules.iter().filter(|r| r.matches(key)).count() > 1
}

/// How often rules test a field, in relation to the others.
fn weight(field: Field) -> usize {
    match field {
        Field::SrcIp | Field::DstIp | Field::Proto | Field::DstPort => 6,
        Field::SrcPort => 4,
        Field::Dscp | Field::Tos | Field::Fragment | Field::Vlan | Field::TcpFlags => 2,
        _ => 1,
    }
}

fn usual(random: &mut Random, field: Field, pools: &[(Field, Vec<Value>)]) -> Value {
    let pool = pools.iter().find(|(f, _)| *f == field).map_or(&[][..], |(_, p)| p.as_slice());
    match field {
        Field::Proto => Value::number(u128::from(packet::UDP)),
        // one IP version
        _ => pool.iter().copied().find(|v| v.family == 4).unwrap_or_else(|| *random.pick(pool)),
    }
}

/// Few values of a field, near each other and at the ends of its domain.
fn pool(random: &mut Random, field: Field) -> Vec<Value> {
    let numbers = |n: &[u128]| n.iter().map(|n| Value::number(*n)).collect::<Vec<_>>();
    match field {
        Field::SrcIp | Field::DstIp => {
            let four = u128::from(random.bits() as u32);
            let six = random.wide();
            let v4 = [four, four ^ 1, four ^ 0x300, four.wrapping_add(5) & 0xffff_ffff, 0, 0xffff_ffff];
            let v6 = [six, six ^ 1, six ^ 1 << 40, six ^ 1 << 70, six.wrapping_add(9), u128::MAX];
            let of = |family| move |bits| Value { family, bits };
            v4.map(of(4)).into_iter().chain(v6.map(of(6))).collect()
        }
        Field::Proto => numbers(&[1, 6, 6, 17, 17, 17, 58, 132, 136, 47, 0, 44, 255]),
        Field::EtherType => numbers(&[0x0800, 0x0800, 0x86dd, 0x86dd, 0x8847, 0x0806, 0x8100, 0xffff]),
        Field::Fragment => numbers(&[0, 0, 1, 2]),
        Field::SrcMac | Field::DstMac => {
            let base = random.wide() & 0xffff_ffff_ffff;
            numbers(&[base, base ^ 1, base ^ 1 << 33, 0, 0xffff_ffff_ffff])
        }
        Field::Length => numbers(&[28, 29, 40, 46, 60, 100, 1500, 65_534, 65_535]),
        _ => {
            let most = (1u128 << field.width()) - 1;
            let base = random.wide() & most;
            numbers(&[base, base ^ 1, (base + 7) & most, random.wide() & most, 0, most])
        }
    }
}

fn any_tests(random: &mut Random, pools: &[(Field, Vec<Value>)]) -> Vec<(Field, ValueSet)> {
    let mut tests: Vec<(Field, ValueSet)> = Vec::new();
    if random.chance(1) {
        // a rule without tests matches everything
        return if random.chance(20) { tests } else { vec![(pools[0].0, ValueSet::empty())] };
    }
    let weights: usize = pools.iter().map(|(f, _)| weight(*f)).sum();
    for _ in 0..1 + random.below(4) {
        let mut at = random.below(weights);
        let chosen = pools.iter().find(|(f, _)| {
            let found = at < weight(*f);
            at = at.saturating_sub(weight(*f));
            found
        });
        if let Some((field, pool)) = chosen
            && tests.iter().all(|(f, _)| f != field)
        {
            tests.push((*field, any_set(random, *field, pool)));
        }
    }
    tests.sort_by_key(|(f, _)| *f);
    tests
}

fn any_set(random: &mut Random, field: Field, pool: &[Value]) -> ValueSet {
    let one = *random.pick(pool);
    let set = match random.below(10) {
        0..4 => ValueSet::single(one),
        4 if field.is_address() => {
            let width = if one.family == 4 { 32 } else { 128 };
            Range::prefix(one, random.below(width + 1) as u32).into()
        }
        4 | 5 => {
            let other = *random.pick(pool);
            let (lo, hi) = (one.min(other), one.max(other));
            if lo.family == hi.family { Range::new(lo, hi).into() } else { ValueSet::single(one) }
        }
        6 => (0..3).map(|_| ValueSet::single(*random.pick(pool))).fold(ValueSet::empty(), |a, b| a.union(&b)),
        7 => field.domain().subtract(&ValueSet::single(one)),
        8 => {
            let other = any_set(random, field, pool);
            field.domain().subtract(&other).union(&ValueSet::single(one))
        }
        _ if random.chance(30) => field.domain(),
        _ => ValueSet::single(one),
    };
    set.intersect(&field.domain())
}
