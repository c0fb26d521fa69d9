//! The built-in RTFM meter: the packet matching engine of RFC 2722 over NeTraMet rule files or rules of the
//! notation, a bidirectional flow table, capture from an interface or a file.
//!
//! ```text
//! capture ─► slots ─► engine ─► table ─► readout, flow data
//! receive    parse    match     flow table
//! ```

mod attributes;
mod code;
mod collector;
mod engine;
mod flow_data;
mod load;
mod matching;
mod options;
mod pattern;
mod readout;
mod session;
mod slots;
mod table;
mod tasks;

pub use collector::{Collection, Reader};
pub use engine::{Engine, Outcome};
pub use load::{RuleFile, emit};
pub use matching::{Matching, Totals};
pub use options::Settings;
pub use readout::Classes;
pub use slots::Slots;
pub use table::{Direction, FlowKey, FlowTable, Record, State};

use super::{Builtin, Load, Session};
use crate::meter::{MeterError, OptionDoc, Readout};
use csn::{MeterSpec, RuleSet};
use options::OPTIONS;

/// The meter `rtfm`.
pub struct Rtfm;

impl Builtin for Rtfm {
    fn name(&self) -> &'static str {
        "rtfm"
    }

    fn summary(&self) -> &'static str {
        "RTFM meter (RFC 2722): NeTraMet rule sets run one rule after the other, bidirectional flows"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &OPTIONS
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        Settings::parse(spec)?;
        emit(spec, rules, rules.rules.len()).map(|_| ())
    }

    fn load(&self, spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<Load, MeterError> {
        let file = emit(spec, rules, loaded)?;
        Ok(Load { argument: "--ruleset", file: "rules.rules", text: file.text, labels: file.labels })
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        session::run(&session)
    }
}
