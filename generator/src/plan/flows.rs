//! The flows of a component: where their packets come from, and what sizes these have.

use super::aim::Context;
use super::error::PlanError;
use super::sizes::{Payloads, Sizes, Table};
use super::space::Flows;
use super::targets::Rules;
use crate::dist::Rng;
use csn::mix::Component;
use rand::Rng as _;
use std::sync::Arc;

/// The flows of one goal.
pub struct Source {
    /// The flows by number.
    pub flows: Flows,
    /// The rule that must be the first to match.
    pub rule: Option<usize>,
    /// Whether packets go both ways.
    pub both: bool,
    /// What sizes the packets of each space have.
    pub kinds: Vec<Kind>,
}

/// Sizes of the flows of a space.
pub struct Kind {
    /// The component's sizes as payloads.
    pub payloads: Arc<Payloads>,
    /// Sizes of their own, where a rule on the length asks for it.
    pub table: Option<Table>,
}

/// The sources of a component, which its flows go round: as many as there are flows, or all where flows end.
pub fn sources(
    rules: &Rules,
    component: &Component,
    (count, ending): (u32, bool),
    (context, sizes): (&Context, &Sizes),
    notes: &mut Vec<String>,
    rng: &mut Rng,
) -> Result<Vec<Source>, PlanError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let goals = rules.goals(component, context)?;
    let turns = goals.len() as u64;
    let used = if ending { goals.len() } else { goals.len().min(count as usize) };
    let (mut alike, mut resized) = (0, false);
    let mut out = Vec::with_capacity(used);
    for (i, goal) in goals.iter().take(used).enumerate() {
        let spaces = goal.aim.spaces(context);
        if spaces.is_empty() {
            return Err(rules.unreachable(goal, component));
        }
        let mut kinds = Vec::with_capacity(spaces.len());
        for space in &spaces {
            let payloads = sizes.payloads(&space.shape, notes)?;
            let lengths = space.lengths().filter(|_| context.length_matters);
            let fitted = lengths.and_then(|l| Table::new(&space.shape, &payloads, l));
            resized |= matches!(fitted, Some((_, true)));
            kinds.push(Kind { payloads, table: fitted.map(|(t, _)| t) });
        }
        let flows = Flows::new(spaces, rng.next_u64());
        let wanted = u64::from(count) / turns + u64::from((i as u64) < u64::from(count) % turns);
        alike += flows.count().map_or(0, |there| wanted.saturating_sub(there));
        out.push(Source { flows, rule: goal.rule, both: goal.both, kinds });
    }
    let name = name(component, rules);
    if alike > 0 {
        notes.push(format!(
            "{name}: {alike} of {count} flows are not distinct: the rules leave no room for more"
        ));
    }
    if resized {
        notes.push(format!("{name}: sizes are those of the rules' `length`, not those of the load"));
    }
    Ok(out)
}

/// What a component is called in notes.
pub fn name(component: &Component, rules: &Rules) -> String {
    match component.target {
        csn::Target::Class(c) => format!("class {}", rules.set.label(c)),
        csn::Target::Rule(i) => format!("rule {}", i + 1),
        csn::Target::Others(_) => "others".into(),
    }
}
