//! From rules to the filter that discards or passes them.

use super::Prefilter;
use crate::meter::MeterError;
use csn::RuleSet;
use csn::backends::{Compiled, Form, Options, by_name};
use std::ops::Range;

/// What a prefilter discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// Everything but what the loaded rules match.
    Unmatched,
    /// What the rules match that are not loaded.
    Rest,
    /// What the rules from `.0` up to and including `.1` match; both from 0.
    Rules(usize, usize),
}

/// A prefilter as options describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What it discards.
    pub discard: Discard,
    /// How it looks values up.
    pub form: Form,
}

impl Discard {
    /// The rules that are discarded; none where the loaded ones are passed and nothing else is.
    pub fn rules(self, count: usize, loaded: usize) -> Option<Range<usize>> {
        match self {
            Discard::Unmatched => None,
            Discard::Rest => Some(loaded.min(count)..count),
            Discard::Rules(first, last) => Some(first.min(count)..(last + 1).min(count)),
        }
    }
}

/// The program of a filter for a meter that has loaded the first `loaded` rules. It keeps `accept` octets of what
/// passes. `live` is for packet sockets, where the kernel takes VLAN tags out of frames.
///
/// # Errors
/// Rules that the program can't express; a program that is longer than the kernel takes.
pub fn compile(
    meter: &str,
    filter: Filter,
    rules: &RuleSet,
    loaded: usize,
    accept: u32,
    live: bool,
) -> Result<Prefilter, MeterError> {
    let failed = |reason: String| MeterError::Failed { meter: meter.into(), reason };
    let discarded = filter.discard.rules(rules.rules.len(), loaded);
    let invert = discarded.is_some();
    let range = discarded.unwrap_or(0..loaded.min(rules.rules.len()));
    if range.is_empty() {
        let accept = if invert { accept } else { 0 };
        return Prefilter::accept_all(accept).map_err(|e| failed(e.to_string()));
    }
    let part = RuleSet { classes: rules.classes.clone(), rules: rules.rules[range.clone()].to_vec() };
    let backend = by_name("bpf").ok_or_else(|| failed("there is no back end `bpf`".into()))?;
    let made =
        backend.emit(&part, &Options { form: Some(filter.form), accept, invert, live, ..Options::default() });
    if let Some(loss) = made.losses.first() {
        let rule = range.start + loss.rule + 1;
        return Err(MeterError::Loss { meter: meter.into(), rule, reason: loss.reason.clone() });
    }
    match &made.program {
        Compiled::Bpf(program) => Prefilter::new(program)
            .map_err(|e| failed(format!("its prefilter of {} rules cannot be loaded: {e}", range.len()))),
        _ => Err(failed("the back end `bpf` made no program".into())),
    }
}
