//! The meters under test: built-in ones, each a process of its own, and adapters to real ones.
//!
//! To the harness all are the same: a [`Meter`] of the [`METERS`] table is started for a [`Job`] and gives a
//! [`Running`]; stopping that is the only way to its [`Readout`], and dropping it kills what runs.

pub mod adapters;
pub mod builtin;
pub mod capture;
pub mod control;
pub mod ebpf;
pub mod meter;
pub mod prefilter;

pub use meter::{Admission, Job, Launch, Meter, MeterError, OptionDoc, Readout, Running};

/// Every meter, built-in or adapted: one line each.
pub static METERS: &[&dyn Meter] = &[&adapters::Rtfm];

/// The meter of that name.
pub fn find(name: &str) -> Option<&'static dyn Meter> {
    METERS.iter().copied().find(|m| m.name() == name)
}
