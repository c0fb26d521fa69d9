//! Adapters: how the harness starts each meter, and what it makes of its results.

mod child;
mod rtfm;

pub use child::Controlled;
pub use rtfm::Rtfm;
