//! The collector: takes what flow meters export, over UDP and TCP, and knows what was lost on the way.
//!
//! [`Collector`] is the state of all exporters without any I/O: messages in, flow records out. [`Server`] puts sockets
//! in front of it, and [`Background`] a thread around that. [`Classes`] sorts flows to the classes of a rule set.
//!
//! Memory is bounded whatever comes in: at most [`CollectorLimits::sessions`] sessions of at most some 200 KiB each,
//! and [`ServerOptions::connections`] connections of 64 KiB each.

mod background;
mod classify;
mod exporters;
mod server;
mod stream;
mod summary;

pub use background::Background;
pub use classify::{Class, Classes};
pub use exporters::{Collector, CollectorLimits, Exporter, Transport};
pub use server::{Server, ServerOptions};
pub use stream::Stream;
pub use summary::{Collected, ExporterSummary, Summary, Tally};
