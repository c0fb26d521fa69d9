//! Engines that people run classify as the oracle does what back ends emit for them.
//!
//! For each: random rule sets and the three ClassBench sets, 10,000 frames each, and the count of every class equal.
//! `CSNBENCH_ENGINE_SETS` says how many random rule sets are tried; 200 where it is not set. What a machine lacks is
//! skipped, with the reason.

mod agree;
mod click;
#[allow(dead_code)]
mod network;
mod ovs;
mod pmacct;
mod regex;
mod tc;
mod tcpdump;

use agree::agree;

#[test]
fn libpcap_compiles_expressions_to_what_they_mean() {
    agree(&mut tcpdump::Tcpdump);
}

#[test]
fn pmacctd_tags_packets_by_its_map() {
    agree(&mut pmacct::Pmacct);
}

#[test]
fn click_classifies_ip_headers_as_the_oracle_does() {
    agree(&mut click::Click::new("ip"));
}

#[test]
fn click_classifies_octets_as_the_oracle_does() {
    agree(&mut click::Click::new("bytes"));
}

#[test]
fn regular_expressions_match_frames_as_the_oracle_does() {
    agree(&mut regex::Patterns);
}

#[test]
fn an_automaton_walks_packed_keys_as_the_oracle_does() {
    agree(&mut regex::Table);
}

#[test]
fn open_vswitch_counts_what_rules_mean() {
    agree(&mut ovs::Ovs::default());
}

#[test]
fn traffic_control_counts_what_rules_mean() {
    agree(&mut tc::Tc::default());
}
