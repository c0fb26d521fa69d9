//! Programs of the packet matching engine as rules, and back.

use super::*;
use crate::Field;
use crate::backends::{Backend, Options, by_name};
use crate::imports::{ClassBench, Srl};
use crate::packet;
use crate::ruleset::RuleSet;
use crate::sample::{Frames, Random, rule_set};

fn printed(read: &Imported) -> Vec<String> {
    read.rules.rules.iter().map(|r| format!("{}: {r}", read.rules.label(r.class))).collect()
}

fn srl(text: &str) -> Vec<String> {
    let read = Srl.parse(text);
    assert_eq!(read.diagnostics, []);
    printed(&read)
}

fn codes(read: &Imported) -> Vec<(&'static str, &str)> {
    read.diagnostics.iter().map(|d| (d.code, d.message.as_str())).collect()
}

/// Exports and reads again.
fn again(name: &str, import: &dyn Import, rules: &RuleSet) -> RuleSet {
    let backend: &dyn Backend = by_name(name).unwrap();
    let made = backend.emit(rules, &Options::default());
    assert_eq!(made.losses, []);
    let read = import.parse(&made.artefact);
    assert_eq!(read.diagnostics, [], "{}", made.artefact);
    read.rules
}

#[test]
fn random_rules_mean_the_same_when_they_come_back_and_then_stay_as_they_are() {
    for (name, import) in [("rtfm", &Rtfm as &dyn Import), ("srl", &Srl)] {
        let mut matched = 0;
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let count = 1 + random.below(40);
            let rules = rule_set(&mut random, count, &Field::ALL);
            let once = again(name, import, &rules);
            let frames = Frames::new(&rules);
            for _ in 0..500 {
                let key = packet::parse(&frames.draw(&mut random).bytes, None);
                let (wanted, found) = (rules.classify(&key).class, once.classify(&key).class);
                assert_eq!(wanted, found, "{name}, seed {seed}: {key}");
                matched += usize::from(wanted.0 > 0);
            }
            let twice = again(name, import, &once);
            assert_eq!(twice.without_places(), once.without_places(), "{name}, seed {seed}");
        }
        assert!(matched > 200 * 500 / 4, "{matched}");
    }
}

#[test]
fn all_rules_of_the_classbench_sets_come_back() {
    for text in [
        include_str!("../../../testdata/classbench/acl1_1k"),
        include_str!("../../../testdata/classbench/fw1_1k"),
        include_str!("../../../testdata/classbench/ipc1_1k"),
    ] {
        let rules = ClassBench.parse(text).rules;
        for (name, import) in [("rtfm", &Rtfm as &dyn Import), ("srl", &Srl)] {
            assert_eq!(again(name, import, &rules).without_places(), rules.without_places(), "{name}");
        }
    }
}

#[test]
fn values_that_are_tested_one_by_one_are_a_set_again() {
    let read = Rtfm.parse(Rtfm.example());
    assert_eq!(
        printed(&read),
        [
            "1: srcip = 0.0.0.0..255.255.255.255, dstip = 130.216.0.0..130.216.255.255, proto = 6, dstport = {80, 443}",
            "2: srcip = 0.0.0.0..255.255.255.255, dstip = 130.216.0.0..130.216.255.255, proto = 6, dstport = 2000..2015",
            "3: srcip = 0.0.0.0..255.255.255.255, dstip = 130.216.0.0..130.216.255.255, proto = 6",
            "4: srcip = 0.0.0.0..255.255.255.255, dstip = 130.216.0.0..130.216.255.255, proto = 17",
            "5: srcip = 0.0.0.0..255.255.255.255, dstip = 130.216.0.0..130.216.255.255",
        ]
    );
    let span = read.rules.rules[1].span;
    assert!(Rtfm.example()[span.start as usize..span.end as usize].starts_with("DestTransAddress & 255.240"));
}

#[test]
fn what_earlier_paths_give_no_class_is_kept_out_of_later_rules() {
    assert_eq!(
        srl("if SourceTransType == 17 ignore; if DestTransAddress == 80 { store FlowClass := 1; count; }"),
        ["1: proto = {0..16, 18..255}, dstport = 80", "1: proto = {0..16, 18..255}, srcport = 80"]
    );
    // an empty rest is no rule
    assert_eq!(
        srl(
            "if SourceTransType == 17 ignore; if SourceTransType == 17 { store FlowClass := 1; count; } ignore;"
        ),
        [""; 0]
    );
    let read = Srl.parse(
        "if SourceTransType == 17 && DestTransAddress == 53 ignore;
         if SourcePeerType == 1 { store FlowClass := 1; count; } ignore;",
    );
    assert_eq!(codes(&read).len(), 1, "{:?}", codes(&read));
    assert_eq!(read.diagnostics[0].code, "E502");
    assert!(read.diagnostics[0].reason.contains("proto, dstport"));
}

#[test]
fn what_is_tried_again_is_the_reply_direction() {
    let text = "if SourcePeerType == 1 save;  else ignore;
        if SourcePeerAddress == 192.0.2.1 && DestPeerAddress == 192.0.2.2 save; else nomatch;
        if DestTransAddress == 2000 save, { store FlowClass := 1; count; }
        store FlowClass := 0; count;";
    assert_eq!(
        srl(text),
        [
            "1: srcip = 192.0.2.1, dstip = 192.0.2.2, dstport = 2000",
            "1: srcip = 192.0.2.2, dstip = 192.0.2.1, srcport = 2000",
        ]
    );
    assert_eq!(
        srl("if MatchingStoD == 1 nomatch; if DestTransAddress == 80 { store FlowClass := 1; count; }"),
        ["1: srcport = 80"]
    );
}

#[test]
fn subroutines_variables_and_kinds_are_followed() {
    let text = "call networks(SourcePeerAddress, SourceKind) endcall;
        call networks(DestPeerAddress, DestKind) endcall;
        count;
        subroutine networks(address a, variable kind)
          if a == 10.1/16 { store kind := 10; return; } else if a == 10.2/16 { store kind := 20; return; }
          return;
        endsub;";
    let made = srl(text);
    assert_eq!(made.len(), 8, "{made:#?}");
    assert!(made[0].starts_with("SourceKind 10, DestKind 10: srcip = 10.1.0.0..10.1.255.255, dstip = 10.1."));
    assert!(made[7].starts_with("DestKind 20: dstip = 10.2."));
}

#[test]
fn flows_masks_and_attributes_that_are_no_classes_are_named() {
    let read = Rtfm.parse(
        "SET 1 RULES SourcePeerAddress & 255.255.255.255 = 0: PushPktToAct, Next; Null & 0 = 0: Count, 0;",
    );
    assert_eq!(codes(&read), [("E502", "this program tells flows apart, not classes")]);
    let read = Srl.parse("save SourcePeerAddress; store FlowClass := 1; count;");
    assert_eq!(codes(&read), [("W503", "values of packets that are saved here")]);
    assert_eq!(read.rules.rules.len(), 1);
    let read = Srl.parse("if SourceAdjacentType == 7 { store FlowClass := 1; count; } ignore;");
    assert_eq!(codes(&read).len(), 1);
    let read =
        Srl.parse("if SourcePeerAddress == 10.0.0.1 & 255.0.0.255 { store FlowClass := 1; count; } ignore;");
    assert_eq!(read.diagnostics.len(), 0, "sixteen bits");
    assert_eq!(read.rules.rules[0].tests[0].1.ranges().len(), 65_536);
    let read =
        Srl.parse("if SourcePeerAddress == 10.0.0.1 & 254.0.0.255 { store FlowClass := 1; count; } ignore;");
    assert!(read.diagnostics[0].reason.contains("17 bits"), "{:?}", read.diagnostics);
    let lines = Rtfm.parse("SET 1\nRULES\nNull & 0 = 0: Gota, 3;\n");
    assert_eq!(lines.diagnostics[0].code, "E501");
    assert_eq!(lines.diagnostics[0].span.start, 12);
    let round = Rtfm.parse("SET 1 RULES a: Null & 0 = 0: Goto, a;");
    assert_eq!(codes(&round), [("E502", "the paths through this program are too many")]);
}

#[test]
fn a_hundred_thousand_rules_are_read() {
    let mut text = String::from("# big\n");
    for i in 0..100_000u32 {
        text += &format!(
            "if SourcePeerAddress == 10.{}.{}.{} && SourceTransType == 17 && DestTransAddress == {} \
             {{ store FlowKind := {}; store FlowClass := {}; count; }}\n",
            i >> 16,
            i >> 8 & 255,
            i & 255,
            i % 65_536,
            i % 256,
            1 + i % 7,
        );
    }
    let read = Srl.parse(&text);
    assert_eq!(read.diagnostics, []);
    assert_eq!(read.rules.rules.len(), 200_000, "both directions");
}
