//! Engines that people run classify as the oracle does what back ends emit for them.
//!
//! For each: random rule sets and the three ClassBench sets, 10,000 frames each, and the count of every class equal.
//! `CSNBENCH_ENGINE_SETS` says how many random rule sets are tried; 200 where it is not set. What a machine lacks is
//! skipped, with the reason.

mod agree;
mod click;
mod iptables;
#[allow(dead_code)]
mod network;
#[allow(dead_code)]
mod nftables;
mod ovs;
mod pmacct;
mod regex;
mod suricata;
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

#[test]
fn nftables_counts_rules_in_order() {
    agree(&mut nftables::Nftables::new("ordered"));
}

#[test]
fn nftables_counts_maps() {
    agree(&mut nftables::Nftables::new("map"));
}

#[test]
fn nftables_counts_rules_given_as_json() {
    agree(&mut nftables::Nftables::new("json"));
}

#[test]
fn what_nft_lists_reads_as_the_rules_that_it_was_given() {
    nftables::listings_read_back();
}

#[test]
fn iptables_counts_packets_of_ipv4() {
    agree(&mut iptables::Iptables::new("v4"));
}

#[test]
fn iptables_counts_packets_of_ipv6() {
    agree(&mut iptables::Iptables::new("v6"));
}

#[test]
fn suricata_alerts_with_the_first_rule_that_matches() {
    agree(&mut suricata::Suricata);
}
