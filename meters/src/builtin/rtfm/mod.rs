//! The built-in RTFM meter.

pub mod code;
pub mod engine;
pub mod pattern;
pub mod slots;
