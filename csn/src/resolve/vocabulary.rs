//! Every word that the notation knows, for the tests that hold documents and grammars against the tables.

use super::spread::{GAPS, PHASE_SETTINGS, PHASES};
use super::{classes, experiment, load, quantity, search, vary, words};
use crate::ast::Keyword;
use crate::experiment::Metric;
use crate::field::Field;
use crate::models::{IMIXES, MODELS};
use crate::search::Method;
use crate::units::Layer;

/// Words of one kind.
pub(crate) struct Group {
    /// What they are.
    pub(crate) kind: &'static str,
    pub(crate) words: Vec<&'static str>,
}

fn units(table: &'static [(&'static str, f64)]) -> Vec<&'static str> {
    table.iter().map(|(u, _)| *u).collect()
}

/// The units of everything that has units.
pub(crate) fn all_units() -> Vec<&'static str> {
    let tables = [
        quantity::TIMES,
        quantity::PACKETS,
        quantity::COUNTS,
        quantity::BITS,
        quantity::BIRTHS,
        quantity::BYTES,
        quantity::MEMORY,
        &[("%", 0.01)],
    ];
    tables.into_iter().flat_map(units).collect()
}

/// The settings of all statements, and the metrics and axes that stand in their place.
pub(crate) fn all_settings() -> Vec<&'static str> {
    let lists: [&[&str]; 8] = [
        &classes::SETTINGS,
        &load::TARGETS[..2],
        &load::SETTINGS,
        &experiment::SCENARIO,
        &experiment::RUN,
        &vary::AXES,
        &search::SEARCH,
        &search::UNTIL,
    ];
    lists.into_iter().flatten().copied().chain(Metric::ALL.map(|(m, _)| m)).collect()
}

/// The words that settings take, and names of models.
pub(crate) fn all_choices() -> Vec<&'static str> {
    let lists: [&[&str]; 9] = [
        &load::SHARES,
        &load::ARRIVALS,
        &load::POPULARITIES,
        &load::ORDERS,
        &load::PAYLOADS,
        &load::SIGNATURES,
        &load::MISSES,
        &quantity::SIZES,
        &[GAPS, PHASES],
    ];
    let models = MODELS.iter().map(|m| m.name).chain(IMIXES.iter().map(|m| m.name));
    let methods = Method::ALL.into_iter().map(|(name, _)| name);
    lists.into_iter().flatten().copied().chain(models).chain(methods).chain(["search", "until"]).collect()
}

/// Everything.
pub(crate) fn groups() -> Vec<Group> {
    let parameters = MODELS.iter().flat_map(|m| m.parameters).map(|p| p.name);
    let parameters = parameters.chain(PHASE_SETTINGS).chain(["rate"]).collect();
    vec![
        Group { kind: "keyword", words: Keyword::ALL.map(|(k, _)| k).to_vec() },
        Group { kind: "field", words: Field::ALL.map(Field::name).to_vec() },
        Group { kind: "reserved word", words: words::RESERVED.to_vec() },
        Group { kind: "setting", words: all_settings() },
        Group { kind: "choice", words: all_choices() },
        Group { kind: "parameter", words: parameters },
        Group { kind: "unit", words: all_units() },
        Group { kind: "layer", words: Layer::ALL.map(Layer::name).to_vec() },
    ]
}
