//! From stored records to statistics, tables, plots and pages.
//!
//! The crate depends on no other of this workspace: whoever has a run's folder can render and compare it,
//! without a lab. What a run leaves is [`record`]; how it is shown are the [`formats`].

pub mod record;
