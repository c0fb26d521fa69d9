//! The flows of a component: one packet each, of which all others are copies but for their size.

use super::aim::{Context, Drawn};
use super::error::PlanError;
use super::sizes::{Payloads, Sizes, Table};
use super::targets::{Goal, Rules};
use crate::dist::Rng;
use crate::frame::Shape;
use csn::mix::Component;
use csn::{Field, Key};
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What flows are told apart by.
pub const IDENTITY: [Field; 12] = [
    Field::SrcMac,
    Field::DstMac,
    Field::Vlan,
    Field::Mpls,
    Field::SrcIp,
    Field::DstIp,
    Field::Proto,
    Field::FlowLabel,
    Field::SrcPort,
    Field::DstPort,
    Field::IcmpType,
    Field::IcmpCode,
];

/// How often a flow is drawn anew because it was there already, before neighbours are looked through.
const DRAWS: usize = 8;

/// The flows that exist, by a hash of what they are told apart by: two that collide only cost a draw.
#[derive(Default)]
pub struct Seen(HashSet<u64>);

impl Seen {
    fn identity(key: &Key) -> u64 {
        // fixed keys: the same on every run
        let mut hasher = DefaultHasher::new();
        IDENTITY.iter().for_each(|f| key.get(*f).hash(&mut hasher));
        hasher.finish()
    }

    fn contains(&self, key: &Key) -> bool {
        self.0.contains(&Self::identity(key))
    }

    fn insert(&mut self, key: &Key) {
        self.0.insert(Self::identity(key));
    }
}

/// A flow before its frames are built.
pub struct Sketch {
    /// Headers, values, and the lengths that may be.
    pub drawn: Drawn,
    /// The rule that must be the first to match.
    pub rule: Option<usize>,
    /// Whether packets go both ways.
    pub both: bool,
    /// The component's sizes as payloads; shared by flows of one shape.
    pub payloads: Rc<Payloads>,
    /// Sizes of its own, where a rule on the length asks for it.
    pub table: Option<Table>,
}

/// Draws the flows of a component, going round its goals.
pub fn sketch(
    rules: &Rules,
    component: &Component,
    count: u32,
    (context, sizes): (&Context, &Sizes),
    (seen, notes): (&mut Seen, &mut Vec<String>),
    rng: &mut Rng,
) -> Result<Vec<Sketch>, PlanError> {
    let mut goals = rules.goals(component, context)?;
    let mut out = Vec::with_capacity(count as usize);
    let mut by_shape: Vec<(Shape, Rc<Payloads>)> = Vec::new();
    let (mut alike, mut resized) = (0, 0);
    let turns = goals.len();
    for i in 0..count as usize {
        let goal = &mut goals[i % turns];
        let Some((drawn, new)) = distinct(goal, context, seen, rng) else {
            return Err(rules.unreachable(goal, component));
        };
        alike += usize::from(!new);
        seen.insert(&drawn.key);
        if goal.both {
            seen.insert(&drawn.key.reversed());
        }
        let payloads = match by_shape.iter().find(|(s, _)| *s == drawn.shape) {
            Some((_, payloads)) => Rc::clone(payloads),
            None => {
                let payloads = Rc::new(sizes.payloads(&drawn.shape, notes)?);
                by_shape.push((drawn.shape, payloads.clone()));
                payloads
            }
        };
        let fitted = drawn.lengths.as_ref().and_then(|l| Table::new(&drawn.shape, &payloads, l));
        resized += usize::from(matches!(fitted, Some((_, true))));
        let table = fitted.map(|(t, _)| t);
        out.push(Sketch { drawn, rule: goal.rule, both: goal.both, payloads, table });
    }
    let name = name(component, rules);
    if alike > 0 {
        notes.push(format!(
            "{name}: {alike} of {count} flows are not distinct: the rules leave no room for more"
        ));
    }
    if resized > 0 {
        notes.push(format!("{name}: sizes are those of the rules' `length`, not those of the load"));
    }
    Ok(out)
}

/// A packet for a goal, and whether its flow is a new one.
fn distinct(goal: &mut Goal, context: &Context, seen: &Seen, rng: &mut Rng) -> Option<(Drawn, bool)> {
    let is_new = |key: &Key| !seen.contains(key);
    let mut last = None;
    for _ in 0..DRAWS {
        let drawn = goal.aim.draw(context, rng)?;
        if is_new(&drawn.key) {
            return Some((drawn, true));
        }
        let beside = goal.aim.draw_beside(&drawn, seen.0.len() as u128 + 1, is_new);
        if let Some(drawn) = beside {
            return Some((drawn, true));
        }
        last = Some(drawn);
    }
    last.map(|drawn| (drawn, false))
}

/// What a component is called in notes.
pub fn name(component: &Component, rules: &Rules) -> String {
    match component.target {
        csn::Target::Class(c) => format!("class {}", rules.set.label(c)),
        csn::Target::Rule(i) => format!("rule {}", i + 1),
        csn::Target::Others(_) => "others".into(),
    }
}
