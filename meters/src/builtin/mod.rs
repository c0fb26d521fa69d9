//! Built-in meters.
pub mod rtfm;
