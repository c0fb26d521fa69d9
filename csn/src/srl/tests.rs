//! Programs and what becomes of them.

use super::*;
use proptest::prelude::*;

fn rules(text: &str) -> Vec<String> {
    let made = compile(text);
    assert_eq!(made.diagnostics, []);
    assert_eq!(made.places.len(), made.program.rules.len());
    made.program.rules.iter().map(ToString::to_string).collect()
}

fn messages(text: &str) -> Vec<String> {
    let made = compile(text);
    for d in &made.diagnostics {
        assert!(text.get(d.span.start as usize..d.span.end as usize).is_some(), "{d:?}");
        assert!(!d.message.is_empty() && !d.reason.is_empty() && !d.cure.is_empty());
    }
    made.diagnostics.into_iter().map(|d| d.message).collect()
}

/// Classes by port with `others`.
const PORTS: &str = "if SourcePeerType == 1 save;  else ignore;
if SourceTransType == 17 save; else ignore;
if SourcePeerAddress == 192.168.75.106 && DestPeerAddress == 192.168.115.204 save; else nomatch;
if DestTransAddress == 2000 save,      { store FlowClass := 1; count; }
else if DestTransAddress == 2001 save, { store FlowClass := 2; count; }
store FlowClass := 0; count;";

#[test]
fn classes_by_port_cost_one_rule_each() {
    assert_eq!(
        rules(PORTS),
        [
            "SourcePeerType & 255 = 1: PushRuleTo, 3",
            "Null & 0 = 0: Ignore, 0",
            "SourceTransType & 255 = 17: PushRuleTo, 5",
            "Null & 0 = 0: Ignore, 0",
            "SourcePeerAddress & 255.255.255.255 = 192.168.75.106: PushRuleTo, 12",
            "Null & 0 = 0: NoMatch, 0",
            "DestTransAddress & 255.255 = 2000: PushRuleToAct, 14",
            "DestTransAddress & 255.255 = 2001: PushRuleToAct, 16",
            "Null & 0 = 0: GotoAct, 10",
            "FlowClass & 255 = 0: PushRuleToAct, 11",
            "Null & 0 = 0: Count, 0",
            "DestPeerAddress & 255.255.255.255 = 192.168.115.204: PushRuleTo, 7",
            "Null & 0 = 0: PopToAct, 6",
            "FlowClass & 255 = 1: PushRuleToAct, 15",
            "Null & 0 = 0: Count, 0",
            "FlowClass & 255 = 2: PushRuleToAct, 17",
            "Null & 0 = 0: Count, 0",
        ]
    );
}

#[test]
fn what_is_saved_of_the_packet_is_entered_without_a_test() {
    let text = "if SourcePeerType == 1 save; else ignore;
        save SourcePeerAddress; save DestPeerAddress/24; save SourceTransType;
        save SourceTransAddress & 255.0; save DestTransAddress = 80; count;";
    assert_eq!(
        rules(text),
        [
            "SourcePeerType & 255 = 1: PushRuleToAct, 3",
            "Null & 0 = 0: Ignore, 0",
            "SourcePeerAddress & 255.255.255.255 = 0: PushPktToAct, 4",
            "DestPeerAddress & 255.255.255.0 = 0: PushPktToAct, 5",
            "SourceTransType & 255 = 0: PushPktToAct, 6",
            "SourceTransAddress & 255.0 = 0: PushPktToAct, 7",
            "DestTransAddress & 255.255 = 80: PushRuleToAct, 8",
            "Null & 0 = 0: Count, 0",
        ]
    );
}

/// The networks of both ends, by a subroutine.
const ENDS: &str = "call networks(SourcePeerAddress, SourceKind) endcall;
call networks(DestPeerAddress, DestKind) endcall;
count;
subroutine networks(address a, variable kind)
  if a == 130.216/16 save, { store kind := 10; return; }
  else if a == 130.217/16 save, { store kind := 20; return; }
  save a/24; store kind := 30;
endsub;";

#[test]
fn subroutines_have_their_parameters_in_variables() {
    assert_eq!(
        rules(ENDS),
        [
            "V1 & 0 = SourcePeerAddress: AssignAct, 2",
            "V2 & 0 = SourceKind: AssignAct, 3",
            "Null & 0 = 0: Gosub, 10",
            "Null & 0 = 0: GotoAct, 5",
            "V1 & 0 = DestPeerAddress: AssignAct, 6",
            "V2 & 0 = DestKind: AssignAct, 7",
            "Null & 0 = 0: Gosub, 10",
            "Null & 0 = 0: GotoAct, 9",
            "Null & 0 = 0: Count, 0",
            "V1 & 255.255.0.0 = 130.216.0.0: PushRuleToAct, 16",
            "V1 & 255.255.0.0 = 130.217.0.0: PushRuleToAct, 18",
            "Null & 0 = 0: GotoAct, 13",
            "V1 & 255.255.255.0 = 0: PushPktToAct, 14",
            "V2 & 255 = 30: PushRuleToAct, 15",
            "Null & 0 = 0: Return, 1",
            "V2 & 255 = 10: PushRuleToAct, 17",
            "Null & 0 = 0: Return, 1",
            "V2 & 255 = 20: PushRuleToAct, 19",
            "Null & 0 = 0: Return, 1",
        ]
    );
}

#[test]
fn a_return_leads_to_its_number_at_the_call() {
    let text = "call s() 1: { ignore; } 2: 3: count; endcall; nomatch;
        subroutine s() if SourcePeerType == 1 return 1; else if SourcePeerType == 2 return 3; return; endsub;";
    assert_eq!(
        rules(text),
        [
            "Null & 0 = 0: Gosub, 10",
            "Null & 0 = 0: GotoAct, 7",
            "Null & 0 = 0: GotoAct, 8",
            "Null & 0 = 0: GotoAct, 9",
            "Null & 0 = 0: GotoAct, 6",
            "Null & 0 = 0: NoMatch, 0",
            "Null & 0 = 0: Ignore, 0",
            "Null & 0 = 0: Count, 0",
            "Null & 0 = 0: Count, 0",
            "SourcePeerType & 255 = 1: GotoAct, 13",
            "SourcePeerType & 255 = 2: GotoAct, 14",
            "Null & 0 = 0: Return, 4",
            "Null & 0 = 0: Return, 1",
            "Null & 0 = 0: Return, 3",
        ]
    );
}

#[test]
fn what_a_failed_conjunction_saved_is_forgotten() {
    // the second part saves one value or two before the last test
    let text = "if (SourceTransType == 6 && DestTransAddress == (80, 443) || SourceTransType == 17) \
                && SourcePeerType == 1 save, count; ignore;";
    let made = rules(text);
    assert_eq!(made[0], "SourceTransType & 255 = 6: PushRuleTo, 5");
    assert_eq!(made.iter().filter(|r| r.contains("PopTo")).count(), 1 + 2 + 1);
    assert_eq!(rules("if SourceTransType == 6 && SourcePeerType == 1 || Vlan == 5 save, count;").len(), 6);
}

#[test]
fn macros_labels_values_and_bare_programs_are_read() {
    assert_eq!(rules(""), ["Null & 0 = 0: NoMatch, 0"]);
    let text = "define my = 10.1/16, 10.2/16; define stop = ignore\\; ; # a comment
        set 7; statistics; format FlowIndex \" \" FlowClass;
        out: { if SourcePeerAddress == (my, 2001:db8::/33) exit OUT; STOP }
        if SourceAdjacentAddress == 02-0A-00-00-00-01 store FlowClass := 'W';
        if SourceTransAddress == 1!  count; if SourceTransAddress == www count; if SourceTransAddress == 1.0 & 255.0 count;";
    let made = compile(text);
    assert_eq!(made.diagnostics, []);
    assert_eq!((made.program.set, made.program.statistics, made.program.format.len()), (7, true, 3));
    let rules: Vec<_> = made.program.rules.iter().map(ToString::to_string).collect();
    assert_eq!(rules[1], "SourcePeerAddress & 255.255.0.0 = 10.2.0.0: Goto, 5");
    assert!(rules[2].ends_with(": Goto, 5") && made.program.rules[2].octets == 16, "{}", rules[2]);
    assert_eq!(rules[3], "Null & 0 = 0: Ignore, 0");
    assert!(rules.iter().any(|r| r.starts_with("FlowClass & 255 = 87: PushRuleTo, ")), "{rules:?}");
    assert!(rules.iter().any(|r| r.starts_with("SourceTransAddress & 255.0 = 256: ")), "{rules:?}");
    let place = made.places[3];
    assert_eq!(&text[place.start as usize..place.end as usize], "STOP");
}

#[test]
fn parameters_are_passed_on_in_their_variables() {
    let text = "call a(SourcePeerAddress, DestTransAddress) endcall; count;
        subroutine a(address x, address y) call b(x, SourceTransAddress) endcall; if y == 80 ignore; endsub;
        subroutine b(address p, address q) if p == 10/8 && q == 53 ignore; endsub;";
    assert!(
        messages(text).iter().any(|m| m.contains("outside of its mask")),
        "a single number is the whole value"
    );
    let made = rules(&text.replace("10/8", "10.0/8"));
    assert!(made.contains(&"V3 & 0 = SourceTransAddress: AssignAct, 7".into()), "{made:?}");
    assert!(made.iter().any(|r| r.starts_with("V1 & 255.0.0.0 = 10.0.0.0: Goto, ")), "{made:?}");
    assert!(made.iter().any(|r| r.starts_with("V3 & 255.255 = 0.53: ")), "{made:?}");
}

#[test]
fn every_error_is_reported_with_its_place() {
    let text = "if SourceFoo == 1 count;
        if SourceTransType == 300 count;
        if SourcePeerAddress == 10.1.2.3/16 count;
        save ToPDUs; save MatchingStoD; store SourceTransType := 3; store FlowClass := 256;
        return; exit nowhere; call nobody() endcall; call one() endcall; call one(FlowKind) endcall;
        bogus; if SourceTransType = 6 count; define x 5; if ( count;
        { if DestTransAddress == 80/17 count; }
        subroutine one(address a) call one(a) endcall; endsub;
        subroutine one() endsub;
        define loop = loop; loop é
        call five(Vlan, Vlan, Vlan, Vlan, Vlan, Vlan) endcall;
        subroutine five(address a, address b, address c, address d, address e, address f) endsub;
        call two() 1: count; endcall; subroutine two() return 2; endsub; save";
    let found = messages(text);
    for wanted in [
        "`SourceFoo` is not an attribute",
        "300 does not fit into 1 octets",
        "`10.1.2.3` has bits outside of its mask",
        "`ToPDUs` is not an attribute",
        "`MatchingStoD` cannot be saved",
        "`SourceTransType` is not a variable",
        "256 does not fit into 1 octets",
        "`return` stands outside of a subroutine",
        "no block around this has the label `nowhere`",
        "there is no subroutine `nobody`",
        "`one` takes 1 parameters, not 0",
        "`FlowKind` is a variable",
        "a statement is expected here, not `bogus`",
        "`==` is expected here, not `=`",
        "this `define` has no name or no `=`",
        "17 bits are more than the 16 that there are",
        "there are two subroutines `one`",
        "`one` calls itself",
        "`loop` cannot be replaced",
        "`é` means nothing here",
        "`five` needs more than 5 variables",
        "this call of `two` has no statement for return 2",
        "an attribute is expected here, not the end of the program",
    ] {
        assert!(found.iter().any(|m| m == wanted), "{wanted}\n{found:#?}");
    }
}

#[test]
fn deep_nesting_and_macros_that_grow_are_refused() {
    assert!(messages(&"{".repeat(100_000)).iter().any(|m| m.contains("too deep")));
    assert!(messages(&format!("if {} count;", "(".repeat(100_000))).iter().any(|m| m.contains("too deep")));
    let mut text = String::from("define m0 = count\\;;");
    for i in 0..40 {
        text += &format!("define m{} = m{i} m{i};", i + 1);
    }
    let found = messages(&(text + "m30 m40"));
    assert!(found.iter().all(|m| m.contains("cannot be replaced")) && !found.is_empty(), "{found:?}");
}

#[test]
fn long_chains_are_one_statement() {
    let mut text = String::new();
    for i in 0..20_000u32 {
        text += &format!("if DestTransAddress == {} {{ store FlowClass := {}; count; }} else ", i, i % 256);
    }
    let made = compile(&(text + "ignore;"));
    assert_eq!(made.diagnostics, []);
    assert_eq!(made.program.rules.len(), 60_001);
}

const TOKENS: &[&str] = &[
    "if",
    "else",
    "save",
    "store",
    "count",
    "ignore",
    "nomatch",
    "exit",
    "return",
    "call",
    "endcall",
    "subroutine",
    "endsub",
    "address",
    "variable",
    "define",
    "set",
    "format",
    "(",
    ")",
    "{",
    "}",
    ";",
    ",",
    ":",
    ":=",
    "==",
    "=",
    "&&",
    "||",
    "&",
    "/",
    "\\;",
    "#",
    "\n",
    "a",
    "b",
    "1",
    "2",
    "300",
    "10.1/16",
    "02-0a",
    "2001:db8::1",
    "'x'",
    "SourcePeerAddress",
    "DestTransAddress",
    "FlowClass",
    "MatchingStoD",
    "\"",
    "é",
    "if SourcePeerType == 1 save,",
    "call a(SourcePeerAddress) 1: count; endcall;",
    "subroutine a(address b) return 1; endsub;",
];

proptest! {
    #[test]
    fn nothing_makes_the_compiler_panic(words in prop::collection::vec(prop::sample::select(TOKENS), 0..60)) {
        messages(&words.join(" "));
    }

    #[test]
    fn damaged_programs_do_not_either(at in 0usize..900, word in prop::sample::select(TOKENS), cut in 0usize..40) {
        let mut text = format!("{PORTS}\n{ENDS}");
        let at = at.min(text.len());
        text.replace_range(at..(at + cut).min(text.len()), word);
        messages(&text);
    }
}
