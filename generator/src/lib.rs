//! The traffic generator: from a traffic mix, a seed and a rate to frames on a device, and the ledger of what
//! really left.
//!
//! ```text
//! Job ─ plan ─► Plan { flows, schedule } ─ send loop ─► tx::Transmitter ─► device
//!                                              └──────► Report { Ledger, lateness }
//! ```

pub mod job;

pub use job::{Job, Ledger, Report};
