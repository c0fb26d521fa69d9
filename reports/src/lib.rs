//! From stored records to statistics, tables, plots and pages.
//!
//! The crate depends on no other of this workspace: whoever has a run's folder can render and compare it,
//! without a lab. What a run leaves is [`record`]; [`store`] reads it back and [`summary`] turns it into medians,
//! intervals, fits and a verdict.

pub mod record;
pub mod stats;
pub mod store;
pub mod summary;
pub mod text;
