//! The traffic generator: from a traffic mix, a seed and a rate to frames on a device, and the ledger of what
//! really left.
//!
//! ```text
//! Job ─ plan ─► Plan { flows, schedule } ─ send loop ─► tx::Transmitter ─► device
//!                                              └──────► Report { Ledger, lateness }
//! ```

pub mod bpf;
pub mod dist;
pub mod frame;
pub mod job;
pub mod plan;
pub mod receiver;
pub mod recorded;
pub mod send;
pub mod signature;
pub mod tx;

pub use job::{Job, Ledger, Report};
pub use plan::{Plan, PlanError};
pub use send::{Pace, SendError, send};
