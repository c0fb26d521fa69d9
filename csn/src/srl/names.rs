//! What names of attributes stand for.

use super::Errors;
use super::generate::Unit;
use super::lexer::Token;
use super::subroutines::{Table, parameter};
use crate::rtfm::Attribute;

/// The attribute of that name, where programs can use it.
pub(super) fn attribute_of(name: &str) -> Option<Attribute> {
    Attribute::from_name(name).filter(|a| a.octets() > 0 && !a.is_variable() && *a != Attribute::Null)
}

/// What rules say for a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved {
    /// In the rule: the attribute itself, or the variable that holds it.
    pub(super) written: Attribute,
    /// The attribute whose width counts.
    pub(super) model: Attribute,
    /// Whether it is one of the six variables, or a parameter for one.
    pub(super) variable: bool,
}

/// Looks a name up: parameters of the subroutine first.
pub(super) fn resolve(token: Token, unit: &Unit, table: &Table, errors: &mut Errors) -> Option<Resolved> {
    if let Some(resolved) = of_parameter(token, unit, table, errors) {
        return resolved;
    }
    let Some(attribute) = attribute_of(token.text) else {
        let reason = match Attribute::from_name(token.text) {
            Some(_) => "it cannot be tested or saved (RFC 2723, section 3)",
            None => "no attribute or parameter has this name",
        };
        errors.add(token.span, format!("`{}` is not an attribute", token.text), reason, "mend the name");
        return None;
    };
    Some(Resolved { written: attribute, model: attribute, variable: attribute.is_computed() })
}

fn of_parameter(token: Token, unit: &Unit, table: &Table, errors: &mut Errors) -> Option<Option<Resolved>> {
    let facts = table.get(unit.subroutine.as_ref()?)?;
    let place = parameter(facts.subroutine, token.text)?;
    let variable = facts.subroutine.parameters[place].variable;
    let passed = &facts.passed[place];
    // a subroutine that nobody calls is read all the same
    let unused = if variable { Attribute::FlowClass } else { Attribute::SourcePeerAddress };
    let model = passed.first().copied().unwrap_or(unused);
    if passed.iter().any(|a| a.octets() != model.octets()) {
        errors.add(
            token.span,
            format!("`{}` stands for attributes of different widths", token.text),
            passed.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ") + " are passed for it",
            "make a subroutine for each width",
        );
        return Some(None);
    }
    let written =
        unit.variables.get(place).and_then(|v| Attribute::from_number(FIRST_VARIABLE + u16::from(*v)));
    Some(written.map(|written| Resolved { written, model, variable }))
}

/// The number of the first variable of the engine.
pub(super) const FIRST_VARIABLE: u16 = Attribute::V1 as u16;
