//! Recorded traffic: packets, sizes and gaps from captures, and what a capture's traffic is like.
//!
//! ```text
//! capture ─ reader ─► packets ─ rewrite (lab's addresses) ─► Classifier ─► a lane of the spool for each component
//!                        │                                                     └─ read in a circle ─► frames
//!                        ├─► sizes, gaps ─► distributions
//!                        └─► profile ─► `load` statements
//! ```
//!
//! Captures are read as streams and what is kept of them goes to a [`spool`], so that memory does not grow with them.

mod addresses;
mod draw;
pub mod fit;
pub mod profile;
pub mod reader;
mod rewrite;
mod split;
mod spool;
mod statements;

pub use addresses::{AddressMap, Networks, Seen, TooSmall};
pub(crate) use draw::{gaps, sizes};
pub use rewrite::Rewrite;
pub(crate) use split::{Recorded, split};
