//! Which packets are signed, and as what.

use super::error::PlanError;
use super::part::Part;
use crate::signature::{MAX_CLASS, MAX_FLOW, OCTETS};
use csn::RuleSet;
use csn::mix::{Component, Target};

/// Signs the packets of the components that ask for it. Flows are numbered through all parts, each direction by itself.
///
/// # Errors
/// Where a payload is too short, or a number too large.
pub fn sign(components: &[&Component], parts: &mut [Part], rules: &RuleSet) -> Result<(), PlanError> {
    let mut first = 0;
    let total: usize = parts.iter().map(|p| p.templates.len()).sum();
    let step = parts.len() as u32;
    for (place, (component, part)) in components.iter().zip(parts).enumerate() {
        if component.traffic.signature && part.recorded.is_none() {
            room(component, part)?;
            let class = class(component, rules)?;
            if total > MAX_FLOW {
                return Err(PlanError::new(
                    component.span,
                    "too many flows to sign",
                    format!("a signature numbers {MAX_FLOW} flows, each direction by itself"),
                    "use fewer flows, or sign fewer classes",
                ));
            }
            for (i, template) in part.templates.iter_mut().enumerate() {
                template.sign(&part.store, class, (first + i) as u32);
            }
            // flows that begin later
            part.signature = Some((class, (total + place) as u32, step));
        }
        first += part.templates.len();
    }
    Ok(())
}

fn room(component: &Component, part: &Part) -> Result<(), PlanError> {
    let kinds = part.kinds.iter().filter(|k| k.flows > 0);
    let payloads = kinds.flat_map(|k| k.payloads.iter().map(move |(octets, _)| (k.headers, *octets)));
    let Some((headers, octets)) = payloads.min_by_key(|(_, octets)| *octets) else { return Ok(()) };
    if octets >= OCTETS {
        return Ok(());
    }
    Err(PlanError::new(
        component.span,
        "there is no room for a signature",
        format!("it takes {OCTETS} octets, and a packet of this load has a payload of {octets}"),
        format!("use sizes of at least {} B(frame)", headers + OCTETS),
    ))
}

fn class(component: &Component, rules: &RuleSet) -> Result<u16, PlanError> {
    let class = match component.target {
        Target::Class(class) => class,
        Target::Rule(rule) => rules.rules[rule].class,
        Target::Others(_) => csn::ClassId::OTHERS,
    };
    let number = rules.classes[class.index()].number;
    u16::try_from(number).map_err(|_| {
        PlanError::new(
            component.span,
            format!("class {number} cannot be signed"),
            format!("a signature holds numbers up to {MAX_CLASS}"),
            "give the class a smaller number",
        )
    })
}
