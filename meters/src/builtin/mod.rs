//! Meters that are part of this program: each a process of its own, started as `csnbench meter NAME …`.
//!
//! To add one, write a module with an `impl Builtin` and put its line into [`BUILTINS`]: that makes it a meter that can
//! be put under test as well. [`pipeline`] has what meters that take packets themselves share: the capture loop,
//! draining, timing of their elements, and the talk with the program that leads.

pub mod auto;
pub mod calibrate;
pub mod count;
pub mod ebpf;
pub mod options;
pub mod pipeline;
pub mod regex;
pub mod rtfm;
pub mod timing;
pub mod tree;

pub use pipeline::{Account, End, RECEIVE, Start, Work};
pub use timing::{Off, On, Probe};

use crate::meter::{MeterError, OptionDoc, Place, Readout, Tells};
use csn::backends::{Emitted, Options, by_name};
use csn::{ClassId, MeterSpec, Nanos, RuleSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A built-in meter.
pub trait Builtin: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// One line on what it is.
    fn summary(&self) -> &'static str;

    /// The options that it takes, with their documentation.
    fn options(&self) -> &'static [OptionDoc];

    /// The version, where the meter can run here; else why not and the command that would mend it.
    ///
    /// # Errors
    /// [`MeterError::Unavailable`].
    fn version(&self) -> Result<String, MeterError> {
        Ok(env!("CARGO_PKG_VERSION").into())
    }

    /// Where it works, and with that how its cost is measured.
    fn place(&self) -> Place {
        Place::Process
    }

    /// Where its counts per class come from; what tells none counts everything as `others`.
    fn tells_classes(&self) -> Tells {
        Tells::Own
    }

    /// Whether the options make sense: names, values, and that they go with the rules.
    ///
    /// # Errors
    /// [`MeterError::Option`], naming the option; [`MeterError::Loss`], naming the rule.
    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError>;

    /// What a process of its own loads for the first `loaded` rules of a scenario: unless told otherwise, the rules in
    /// the notation.
    ///
    /// # Errors
    /// A rule that the meter can't express.
    fn load(&self, _: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<Load, MeterError> {
        let labels = (0..).map(ClassId).zip(&rules.classes).map(|(id, c)| (c.label(), id)).collect();
        let text = csn::print::print(&rules.first(loaded), "");
        Ok(Load { argument: "--rules", file: "rules.csn", text, labels })
    }

    /// Meters until the source ends, the time is over, or it is told to stop; then reads itself out.
    ///
    /// # Errors
    /// Rules or options in error, a source that can't be opened or fails.
    fn run(&self, session: Session) -> Result<Readout, MeterError>;
}

/// Every built-in meter: one line each.
pub const BUILTINS: &[&dyn Builtin] = &[
    &rtfm::Rtfm,
    &auto::Auto,
    &regex::Regex,
    &tree::Tree,
    &ebpf::Ebpf,
    &count::Count,
    &calibrate::Calibrate,
];

/// The built-in meter of that name.
pub fn find(name: &str) -> Option<&'static dyn Builtin> {
    BUILTINS.iter().copied().find(|m| m.name() == name)
}

/// What a rule back end makes of rules, all of them.
///
/// # Errors
/// The first rule that it can't express.
pub fn emit(
    spec: &MeterSpec,
    backend: &str,
    rules: &RuleSet,
    options: &Options,
) -> Result<Emitted, MeterError> {
    let backend = by_name(backend).ok_or_else(|| MeterError::Failed {
        meter: spec.name.clone(),
        reason: format!("there is no back end `{backend}`"),
    })?;
    let made = backend.emit(rules, options);
    match made.losses.first() {
        None => Ok(made),
        Some(loss) => {
            let reason = loss.reason.clone();
            Err(MeterError::Loss { meter: spec.name.clone(), rule: loss.rule + 1, reason })
        }
    }
}

/// What a process of a built-in meter loads.
#[derive(Clone, Debug)]
pub struct Load {
    /// The argument of `csnbench meter` that names the file.
    pub argument: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// What is in it.
    pub text: String,
    /// What the meter calls each class.
    pub labels: Vec<(String, ClassId)>,
}

/// One run of a built-in meter.
#[derive(Clone, Debug)]
pub struct Session {
    /// Where packets come from.
    pub source: Source,
    /// What is loaded.
    pub rules: Rules,
    /// The meter's name and options.
    pub options: MeterSpec,
    /// The text of a program that filters packets in front of the meter, as [`crate::prefilter`] writes it. It
    /// takes the place of the one that the options ask for.
    pub filter: Option<String>,
    /// Where flow data are written, in the form of the rules' `FORMAT`; `-` is standard output.
    pub flow_data: Option<PathBuf>,
    /// Whether the readout lists every flow.
    pub details: bool,
    /// Whether another program leads: the session says `{"event":"ready"}` on standard output when it counts, ends at
    /// a line `stop` or the end of standard input, and then says `{"event":"readout",…}`.
    pub control: bool,
    /// How long to meter at most.
    pub time: Option<Nanos>,
    /// Set from outside to end the session.
    pub stop: Arc<AtomicBool>,
}

/// Where packets come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A network interface, by its name.
    Interface(String),
    /// A capture file.
    Capture(PathBuf),
}

/// What a meter loads.
#[derive(Clone, Debug)]
pub enum Rules {
    /// Rules of the notation: the meter counts classes.
    Csn {
        /// All rules of the scenario.
        ruleset: RuleSet,
        /// How many of them, from the first, are loaded.
        loaded: usize,
    },
    /// Rule sets in the meter's own language: the meter counts flows.
    Texts(Vec<String>),
}

impl Rules {
    /// As [`Rules::of_notation`], for a meter that needs none: where there are none, everything is `others`.
    ///
    /// # Errors
    /// As there.
    pub fn or_none(&self, spec: &MeterSpec) -> Result<(RuleSet, usize), MeterError> {
        match self {
            Rules::Texts(texts) if texts.is_empty() => Ok((RuleSet::default(), 0)),
            _ => self.of_notation(spec).map(|(rules, loaded)| (rules.clone(), loaded)),
        }
    }

    /// The rules, and how many of them are loaded, for a meter that knows no other language.
    ///
    /// # Errors
    /// [`MeterError::Input`] for rule sets in the language of another.
    pub fn of_notation(&self, spec: &MeterSpec) -> Result<(&RuleSet, usize), MeterError> {
        match self {
            Rules::Csn { ruleset, loaded } => Ok((ruleset, *loaded)),
            Rules::Texts(_) => Err(MeterError::Input {
                what: format!("the rules of {}", spec.name),
                reason: "it takes rules of the notation only: give them with --rules".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete() {
        for m in BUILTINS {
            assert_eq!(find(m.name()).map(|f| f.summary()), Some(m.summary()));
            assert!(!m.summary().is_empty());
            for (i, o) in m.options().iter().enumerate() {
                assert!(!o.values.is_empty() && !o.doc.is_empty(), "{}", o.name);
                assert!(m.options()[..i].iter().all(|other| other.name != o.name), "{} stands twice", o.name);
            }
        }
    }
}
