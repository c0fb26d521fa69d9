use super::*;
use crate::backends::example_rules;
use crate::field::Field;
use crate::ruleset::Rule;
use crate::value::{Range, Value, ValueSet};

fn emit(tests: &[(Field, ValueSet)], form: Form) -> Emitted {
    let mut rules = example_rules();
    let span = crate::diagnostic::Span::default();
    rules.rules = vec![Rule { class: ClassId(1), tests: tests.to_vec(), both: false, span }];
    Click.emit(&rules, &Options { form: Some(form), ..Options::default() })
}

fn numbers(lo: u128, hi: u128) -> ValueSet {
    Range::numbers(lo, hi).into()
}

#[test]
fn values_are_written_as_the_elements_read_them() {
    let line = |field, set: ValueSet, form: Form| {
        let made = emit(&[(field, set)], form);
        let start = if form == IP { "ip0 :: IPClassifier(" } else { "frame0 :: Classifier(" };
        let line = made.artefact.lines().find_map(|l| l.strip_prefix(start)?.strip_suffix(", -);"));
        line.map(str::to_owned).unwrap_or_default()
    };
    let net = ValueSet::from(Range::prefix(Value::v4([10, 1, 0, 0].into()), 16));
    assert_eq!(line(Field::SrcIp, net.clone(), IP), "src net 10.1.0.0/16");
    assert_eq!(line(Field::SrcIp, net, BYTES), "12/0800 26/0a01");
    assert_eq!(line(Field::Ttl, numbers(5, 7), IP), "(ip ttl >= 5 and ip ttl <= 7)");
    assert_eq!(line(Field::Ttl, numbers(4, 7), IP), "ip ttl & 0xfc == 4");
    assert_eq!(line(Field::Ttl, numbers(4, 7), BYTES), "12/0800 22/04%fc");
    assert_eq!(line(Field::Ttl, numbers(1, 255), BYTES), "12/0800 !22/00");
    let port =
        "(ip proto 6 or ip proto 17 or ip proto 33 or ip proto 132 or ip proto 136) and transp[2:2] 80";
    assert_eq!(line(Field::DstPort, numbers(80, 80), IP), port);
    assert_eq!(line(Field::SrcMac, numbers(0x0200_0000_0000, 0x0200_00ff_ffff), BYTES), "6/020000");
    assert_eq!(line(Field::Vlan, numbers(5, 5), BYTES), "12/8100 14/0005%0fff");
}

#[test]
fn what_cannot_be_said_is_a_loss_with_its_reason() {
    // few values far from each other: their complement needs even more masks
    let far = || ValueSet::from_ranges((0..20).map(|n| Range::numbers(n * 3001 + 7, n * 3001 + 7)));
    let many = emit(&[(Field::SrcPort, far()), (Field::DstPort, far())], BYTES);
    assert_eq!(many.losses.len(), 1);
    assert!(many.losses[0].reason.contains("more than 256 patterns"), "{:?}", many.losses);
    assert_eq!(many.entries, 0);
    let tagged = emit(&[(Field::Vlan, numbers(1, 1)), (Field::Proto, numbers(17, 17))], BYTES);
    assert!(tagged.losses[0].reason.contains("behind a tag"));
}

#[test]
fn counters_have_names_that_click_takes() {
    let mut rules = example_rules();
    rules.classes[1].name = Some("Counter".into());
    rules.classes[2].name = Some("voix & vidéo".into());
    let made = Click.emit(&rules, &Options::default());
    let names: Vec<&str> = made.labels.iter().map(|(l, _)| l.as_str()).collect();
    assert_eq!(names, ["class_others", "class_Counter", "class_voix___vid_o"]);
    for name in names {
        assert!(made.artefact.contains(&format!("\n{name} :: Counter;\n")));
    }
}
