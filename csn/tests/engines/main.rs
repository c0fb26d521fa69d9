//! Engines that people run classify as the oracle does what back ends emit for them.
//!
//! For each: random rule sets and the three ClassBench sets, 10,000 frames each, and the count of every class equal.
//! `CSNBENCH_ENGINE_SETS` says how many random rule sets are tried; 200 where it is not set. What a machine lacks is
//! skipped, with the reason.

mod agree;
mod click;
#[allow(dead_code)]
mod network;
mod pmacct;
mod regex;
mod tcpdump;

use agree::agree;

#[test]
fn libpcap_compiles_expressions_to_what_they_mean() {
    agree(&tcpdump::Tcpdump);
}

#[test]
fn pmacctd_tags_packets_by_its_map() {
    agree(&pmacct::Pmacct);
}

#[test]
fn click_classifies_ip_headers_as_the_oracle_does() {
    agree(&click::Click::new("ip"));
}

#[test]
fn click_classifies_octets_as_the_oracle_does() {
    agree(&click::Click::new("bytes"));
}

#[test]
fn regular_expressions_match_frames_as_the_oracle_does() {
    agree(&regex::Patterns);
}

#[test]
fn an_automaton_walks_packed_keys_as_the_oracle_does() {
    agree(&regex::Table);
}
