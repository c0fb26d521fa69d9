//! Adapters: how the harness starts each meter, and what it makes of its results.
//!
//! Built-in meters share one adapter. A meter that people run is a file with a static [`External`], and a line in the
//! table of the crate.

mod argus;
mod builtin;
mod child;
mod conntrack;
mod fprobe;
mod iptables;
mod nfpcapd;
mod nftables;
mod ovs;
mod pmacct;
mod softflowd;
mod tc;
mod tcpdump;
mod tools;
mod tracestats;

pub use argus::ARGUS_PROBE;
pub use builtin::{BUILT_IN, BuiltIn};
pub use child::Controlled;
pub use conntrack::{CONNTRACK_TABLE, ULOGD2};
pub use fprobe::FPROBE_PROBE;
pub use iptables::IPTABLES;
pub use nfpcapd::NFPCAPD_FILES;
pub use nftables::NFTABLES;
pub use ovs::OVS;
pub use pmacct::PMACCT;
pub use softflowd::SOFTFLOWD_PROBE;
pub use tc::TC_U32;
pub use tcpdump::TCPDUMP_FILE;
pub use tools::{External, Order};
pub use tracestats::TRACESTATS_FILTERS;
