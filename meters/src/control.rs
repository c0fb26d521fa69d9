//! How a built-in meter (or the collector) and the adapter that started it talk: lines of JSON on standard output, and `stop` on
//! standard input.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::collector::Collected;
use crate::meter::Readout;

/// The line that ends a session.
pub const STOP: &str = "stop";

/// What a built-in meter or the collector says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// It counts from now on.
    Ready,
    /// A collector: it takes messages from now on.
    Listening {
        /// Where.
        address: std::net::SocketAddr,
    },
    /// A collector: the end.
    Collected(Box<Collected>),
    /// The end.
    Readout {
        /// What the harness wants to know. The classes are there if the meter was given rules of the notation.
        totals: Box<Readout>,
        /// Packets and octets by rule set and label.
        labels: Vec<Label>,
        /// Every flow with its attributes, where that was asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flows: Vec<serde_json::Map<String, serde_json::Value>>,
        /// What else the meter knows of its work, its own drops among them, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        counters: BTreeMap<String, u64>,
    },
}

/// What one rule set counted under one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The rule set's number.
    pub set: u32,
    /// What the rule back end calls the class.
    pub label: String,
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub bytes: u64,
}

/// Prints an event, at once.
pub fn print(event: &Event) {
    let mut out = std::io::stdout().lock();
    // nobody is left to be told that standard output is closed
    if let Ok(line) = serde_json::to_string(event) {
        let _ = writeln!(out, "{line}");
        let _ = out.flush();
    }
}

/// Says that the meter counts.
pub fn ready() {
    print(&Event::Ready);
}

/// Sets the flag when standard input says so or ends. The thread sleeps until then and ends with the process.
pub fn stop_on_input(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_ok_and(|l| l.trim() != STOP) {
                continue;
            }
            break;
        }
        stop.store(true, Ordering::Relaxed);
    });
}
