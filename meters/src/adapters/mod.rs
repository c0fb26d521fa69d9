//! Adapters: how the harness starts each meter, and what it makes of its results.

mod builtin;
mod child;

pub use builtin::{BUILT_IN, BuiltIn};
pub use child::Controlled;
