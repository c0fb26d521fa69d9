//! Frames: their shapes, their bytes, and how a flow's frame changes its size.
//!
//! ```text
//! Shape (which headers) + Key (which values) ─ build ─► bytes ─► Template ─ write(size) ─► tx::Slot
//! ```
//!
//! `build` uses pnet and runs once per flow; [`Template::write`] runs once per packet: a copy, and where the size
//! differs from the built one, edits with incremental checksums (RFC 1624).

mod build;
mod checksum;
mod shape;
mod template;
#[cfg(test)]
mod tests;
mod tunnel;

pub use build::build;
pub use checksum::{Change, crc32c, fold};
pub use shape::{Net, Shape, Transport};
pub use template::{HEAD, Payloads, Template};
