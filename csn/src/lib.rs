//! CSN, the classifier specification notation: one description of traffic classes from which come the
//! rules of the meter under test, the traffic mix of the generator and the counts that must result.
//!
//! The crate is pure: it reads text and packets that others hand to it and does no I/O of its own.
//!
//! ```text
//! text ─ parse ─► Ast ─ resolve, check ─► Scenario { RuleSet, TrafficMix, Experiment } + diagnostics
//!                                            │
//!                        RuleSet::classify ──┤ the oracle
//!                        backends::*.emit ───┘ what a meter loads
//! ```
//!
//! The vocabulary that every other crate shares is here too: [`Key`] (a packet's fields), [`Field`],
//! [`ValueSet`], [`ClassId`], [`Counts`], and the units ([`Nanos`], [`Rate`], …).

pub mod ast;
pub mod backends;
pub mod cbpf;
mod check;
mod classifier;
pub mod codes;
pub mod dfa;
pub mod diagnostic;
pub mod ebpf;
pub mod edit;
#[cfg(test)]
mod editors;
pub mod experiment;
pub mod explain;
pub mod field;
mod fmt;
pub mod frame_kind;
pub mod geometry;
pub mod imports;
pub mod key;
pub mod mix;
pub mod models;
pub mod packet;
mod parse;
pub mod print;
#[cfg(test)]
mod reference;
mod report;
mod resolve;
pub mod rtfm;
pub mod ruleset;
pub mod sample;
pub mod search;
pub mod srl;
mod suggest;
pub mod units;
pub mod value;

/// The reference of the notation, for people: Markdown in lines of no more than 100 columns.
pub const REFERENCE: &str = include_str!("../README.md");

pub use classifier::{Classifier, Ranked};
pub use codes::{CODES, Code};
pub use diagnostic::{Diagnostic, FileId, Label, Severity, Sources, Span};
pub use experiment::{Axis, Expectation, Experiment, MeterSpec, Point, RateSpec, RunSpec, Scenario};
pub use field::Field;
pub use fmt::format;
pub use frame_kind::{FrameKind, FrameKinds};
pub use imports::Imported;
pub use key::Key;
pub use mix::{Component, Miss, Size, Target, Traffic, TrafficMix};
pub use print::print;
pub use resolve::{Loader, NoLoader, Outcome, compile, parse_packet};
pub use ruleset::{Class, ClassId, Counts, Rule, RuleSet};
pub use search::{Method, Search};
pub use units::{Layer, Nanos, Rate};
pub use value::{Range, Value, ValueSet};
