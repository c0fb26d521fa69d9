//! The meters under test: built-in ones, each a process of its own, and adapters to real ones.
//!
//! To the harness all are the same: a [`Meter`] of the [`METERS`] table is started for a [`Job`] and gives a
//! [`Running`]; stopping that is the only way to its [`Readout`], and dropping it kills what runs.

pub mod adapters;
pub mod builtin;
pub mod capture;
pub mod collector;
pub mod control;
pub mod ebpf;
pub mod export;
pub mod flows;
pub mod meter;
pub mod prefilter;
pub mod selectors;

pub use meter::{
    Admission, Job, Launch, Link, Meter, MeterError, OptionDoc, Place, Readout, Running, Tells, Wire,
};

/// The meters that have an adapter of their own: one line each.
const ADAPTED: &[&dyn Meter] = &[
    &adapters::NFTABLES,
    &adapters::IPTABLES,
    &adapters::TC_U32,
    &adapters::CONNTRACK_TABLE,
    &adapters::ULOGD2,
    &adapters::SOFTFLOWD_PROBE,
    &adapters::FPROBE_PROBE,
    &adapters::NFPCAPD_FILES,
    &adapters::ARGUS_PROBE,
    &adapters::PMACCT,
    &adapters::TCPDUMP_FILE,
    &adapters::TRACESTATS_FILTERS,
    &adapters::OVS,
];

/// Every meter: the built-in ones, then those with an adapter of their own.
pub static METERS: &[&dyn Meter] = &all::<{ builtin::BUILTINS.len() + ADAPTED.len() }>();

const fn all<const N: usize>() -> [&'static dyn Meter; N] {
    let mut meters: [&dyn Meter; N] = [&adapters::BUILT_IN[0]; N];
    let mut i = 0;
    while i < N {
        let built_in = builtin::BUILTINS.len();
        meters[i] = if i < built_in { &adapters::BUILT_IN[i] } else { ADAPTED[i - built_in] };
        i += 1;
    }
    meters
}

/// The meter of that name.
pub fn find(name: &str) -> Option<&'static dyn Meter> {
    METERS.iter().copied().find(|m| m.name() == name)
}
