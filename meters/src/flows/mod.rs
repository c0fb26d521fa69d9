//! Flow records on the wire: NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011), without any I/O.
//!
//! Reading goes from a message to its [`Header`], from there through a [`Session`], which remembers the templates and
//! sequence numbers of one exporter's observation domain, to [`Record`]s, and from a record to a [`Flow`]: what all
//! formats say, in one form. A NetFlow v5 record is a record of a template that never changes, so that nothing behind
//! the session knows which format a flow came in. [`encode`] goes the other way.
//!
//! Whoever sends is not trusted: every length is checked before it is used, a message is taken as a whole or not at
//! all, and everything that is remembered has a bound in [`Limits`].

pub mod datum;
pub mod element;
mod elements;
pub mod encode;
pub mod flow;
mod header;
mod known;
mod sequence;
mod session;
mod template;
mod v5;
mod wire;

pub use datum::Datum;
pub use element::{Element, Kind};
pub use flow::{EndReason, Flow};
pub use header::{Header, Malformed, Protocol, Sampling};
pub use known::Fields;
pub use sequence::{Counting, Sequence, Step, Unit, Units};
pub use session::{Limits, Record, Session, Statistics};
pub use template::{FieldSpec, Template};

/// The length that stands for a variable one in a template (RFC 7011, 7).
pub const VARIABLE: u16 = 0xffff;
/// The enterprise number under which elements of the reverse direction stand (RFC 5103).
pub const REVERSE: u32 = 29_305;
