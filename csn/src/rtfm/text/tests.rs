//! Tests of the text form.

use super::TextError;
use crate::rtfm::{Attribute, Column, Opcode, Program, Rule};
use proptest::prelude::*;

const EXAMPLE: &str = r##"# my-port-classes.rules
SET 3
#
RULES
  SourcePeerType & 255 = IP: PushTo, ip_pkt;
  Null & 0 = 0: Retry, 0;
IP_pkt:
  # the two ports
  DestTransAddress & 255.255 = www: pushRuleToAct, c1;
  Null & 0 = 0: GotoAct, rest;  # not kept
c1:
  FlowClass & 255 = 'A': PushRuleToAct, rest;
rest:
  SourcePeerAddress & 255.255.255.255 = 0: pushpkttoact, Next;
  DestPeerAddress & 255.255 = 130.216: PushPktToAct, 8;
  DestPeerAddress & ffff:ffff:: = 2001:db8::: Goto, 9;
  v1 & 0 = SourcePeerAddress: AssignAct, Next;
  v1 & 255.255.0.0 = 130.217: Goto, Next;
  DestAdjacentAddress & ff-ff-ff-00-00-00 = 02-0A: Goto, Next;
  Null & 0 = 0: Count, 0;
#
FORMAT FlowRuleSet FlowIndex " # " FlowClass " "
  SourcePeerAddress ToPDUs;
STATISTICS
"##;

fn lines(text: &str) -> Vec<usize> {
    Program::parse(text).unwrap_err().into_iter().map(|e: TextError| e.line).collect()
}

#[test]
fn a_rule_file_is_read() {
    let p = Program::parse(EXAMPLE).unwrap();
    assert_eq!((p.set, p.rules.len(), p.statistics), (3, 12, true));
    let rule = |n: usize| p.rules[n - 1];
    assert_eq!((rule(1).opcode, rule(1).value, rule(1).parameter), (Opcode::PushRuleTo, 1, 3));
    assert_eq!(rule(2).opcode, Opcode::NoMatch);
    assert_eq!((rule(3).mask, rule(3).value, rule(3).parameter), (0xffff, 80, 5));
    assert_eq!(rule(5).value, 65);
    assert_eq!((rule(6).octets, rule(6).mask, rule(6).parameter), (4, 0xffff_ffff, 7));
    assert_eq!((rule(7).octets, rule(7).mask, rule(7).value), (4, 0xffff_0000, 0x82d8_0000));
    assert_eq!((rule(8).octets, rule(8).value >> 96), (16, 0x2001_0db8));
    assert_eq!((rule(9).octets, rule(9).value), (1, Attribute::SourcePeerAddress as u128));
    assert_eq!((rule(10).octets, rule(10).value), (4, 0x82d9_0000));
    assert_eq!((rule(11).octets, rule(11).value), (6, 0x020a_0000_0000));
    assert_eq!(p.comments, [(0, "my-port-classes.rules".into()), (3, "the two ports".into())]);
    assert_eq!(p.format.len(), 7);
    assert_eq!(p.format[2], Column::Text(" # ".into()));
    assert_eq!(Program::parse(&p.to_string()).unwrap(), p);
}

#[test]
fn every_error_is_reported_at_its_line() {
    let text = "SET 0\nRULES\n\
        Nul & 0 = 0: Count, 0;\n\
        Null & 0 = 0: Conut, 0;\n\
        Null & 0 = 0: Goto, nowhere;\n\
        Null & 0 = 0: Goto, 99;\n\
        DestTransAddress & 255.255 = 70000: Goto, Next;\n\
        DestTransAddress & 255.255 = 1.2.3: Goto, Next;\n\
        ToPDUs & 255 = 1: Goto, Next;\n\
        Null & 0 = 0: Goto, Next\n\
        a:\n\
        a:\n\
        Null 0 = 0: Goto, Next;\n\
        Null & 0 = 0: Count, 5;\n\
        FlowClass & 0 = FlowKind: Assign, Next;\n\
        Null & 0 = 0: Return, 0;\n\
        Null & 0 = 0: Goto, Next;\n\
        FORMAT NoSuch;\n";
    assert_eq!(lines(text), [1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18]);
    assert_eq!(lines("SET 1\nRULES\n"), [2]);
    assert_eq!(lines("SET 1\nNull & 0 = 0: Count, 0;"), [2]);
    assert_eq!(lines("SET 1\nRULES\n;;\nNull & 0 = 0: Count, 0;\nFORMAT \"a\n"), [3, 3, 5]);
    assert_eq!(lines("SET 1\nRULES\nNull & 0 = 0: Count, 0"), [3]);
}

fn any_rule(number: u32, count: u32) -> impl Strategy<Value = Rule> {
    let testable: Vec<Attribute> = Attribute::ALL.iter().copied().filter(|a| a.octets() > 0).collect();
    let assignable: Vec<Attribute> = testable.iter().copied().filter(|a| !a.is_variable()).collect();
    (
        prop::sample::select(testable),
        prop::sample::select(assignable),
        prop::sample::select(Opcode::ALL.to_vec()),
        any::<(u128, u128, u8, bool)>(),
        1..=count,
    )
        .prop_map(move |(attribute, assigned, opcode, (mask, value, width, zero), target)| {
            let octets = match attribute.octets() {
                16 if attribute.is_variable() => width % 16 + 1,
                16 if width % 2 == 0 => 4,
                n => n,
            };
            let cut = |n: u128| if octets == 16 { n } else { n & ((1 << (8 * u32::from(octets))) - 1) };
            let assign = matches!(opcode, Opcode::Assign | Opcode::AssignAct);
            Rule {
                attribute: if assign { Attribute::V1 } else { attribute },
                octets: if assign { 1 } else { octets },
                mask: if zero || assign { 0 } else { cut(mask) },
                value: if assign { assigned as u128 } else { cut(value) },
                opcode,
                parameter: match opcode {
                    Opcode::Return => u32::from(width) + 1,
                    o if !o.jumps() => 0,
                    _ if zero && number < count => number + 1,
                    _ => target,
                },
            }
        })
}

fn any_program() -> impl Strategy<Value = Program> {
    let column = prop_oneof![
        prop::sample::select(vec![Attribute::FlowIndex, Attribute::ToPDUs, Attribute::FlowClass])
            .prop_map(Column::Attribute),
        "[ a-z#;:]{0,5}".prop_map(Column::Text),
    ];
    let rules = (1u32..30).prop_flat_map(|n| (1..=n).map(|i| any_rule(i, n)).collect::<Vec<_>>());
    (1u32..1000, rules, prop::collection::vec(column, 0..40), any::<bool>()).prop_flat_map(
        |(set, rules, format, statistics)| {
            let comments =
                prop::collection::btree_map(0..=rules.len() as u32, "[a-z](;?: [a-z\"]){0,3}", 0..4);
            comments.prop_map(move |c| Program {
                set,
                rules: rules.clone(),
                comments: c.into_iter().collect(),
                format: format.clone(),
                statistics,
            })
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(p in any_program()) {
        prop_assert_eq!(p.check(), vec![]);
        let text = p.to_string();
        prop_assert_eq!(Program::parse(&text).map_err(|e| format!("{e:?}\n{text}")), Ok(p));
    }

    #[test]
    fn nothing_makes_the_parser_panic(text in "(?s)[ -~\n]{0,200}", cut in 0usize..900) {
        let _ = Program::parse(&text);
        let mut torn = EXAMPLE.to_string();
        torn.insert_str(cut.min(EXAMPLE.len()), &text);
        let _ = Program::parse(&torn);
    }
}
