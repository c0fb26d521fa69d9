//! What the transmitter `live` needs of the meter's end.
//!
//! A veth end takes frames that XDP programs redirect to it only while it polls (NAPI), which it does with a native XDP
//! program of its own. One that passes everything is enough. Merging on receipt would do too, but then meters would
//! see merged packets.

use generator::bpf::{OnReceive, Verdict};
use std::io;

/// Has an interface of this network namespace poll, until the answer is dropped.
///
/// # Errors
/// Where the process may not load XDP programs (root may), or the interface has one.
pub fn switch_on(interface: &str) -> io::Result<OnReceive> {
    OnReceive::attach(interface, Verdict::Pass)
}
