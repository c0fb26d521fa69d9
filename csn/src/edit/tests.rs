//! Edits of texts that people write.

use super::*;
use crate::resolve::Loader;

struct Files;

impl Loader for Files {
    fn load(&mut self, _: &str, path: &str) -> Result<(String, String), String> {
        match path {
            "nine.csn" => {
                Ok((path.into(), "define: nine = 9;\nset: class = 9;\naddrule: dstport = nine;".into()))
            }
            "traffic.csn" => Ok((path.into(), "load: class, flows = 3;".into())),
            _ => Err("no such file".into()),
        }
    }
}

fn added(text: &str, class: &str, class_name: Option<&str>, rule: &str) -> String {
    let edit = add("x.csn", text, &mut Files, &Addition { class, class_name, rule }).unwrap();
    edit.text
}

fn removed(text: &str, removal: &Removal<'_>) -> String {
    remove("x.csn", text, &mut Files, removal).unwrap().text
}

fn codes<T: std::fmt::Debug>(result: Result<T, Refused>) -> Vec<&'static str> {
    result.unwrap_err().diagnostics.iter().map(|d| d.code).collect()
}

const TWO: &str = "# two classes\n\nset: class = 1, name = \"voice\";\n  addrule: proto = udp, dstport = 5060; # SIP\n\
                   load: class, weight = 20%;\n\nset: class = 2;\n  addrule: proto = tcp;\n\nload: others;";

#[test]
fn a_rule_goes_behind_the_last_of_its_class_in_the_layout_of_that_one() {
    let after = "  addrule: proto = udp, dstport = 5060; # SIP\n  addrule: dscp = ef;\nload: class";
    assert!(added(TWO, "voice", None, "dscp = ef").contains(after));
    assert!(added(TWO, "1", None, " addrule : dscp = ef ; ").contains(after));
    let odd = "SET :class=1;ADDRULE :proto=udp;load: class, weight = 20%;";
    assert_eq!(added(odd, "1", None, "proto=tcp").replace(" ADDRULE :proto=tcp;", ""), odd);
    assert_eq!(
        added("set: class = 1;\r\naddrule: proto = udp;", "1", None, "proto = tcp"),
        "set: class = 1;\r\naddrule: proto = udp;\r\naddrule: proto = tcp;"
    );
    assert_eq!(
        added("set: class = 1; # one\n", "1", None, "srcip = any"),
        "set: class = 1; # one\naddrule: srcip = any;\n"
    );
}

#[test]
fn a_new_class_goes_behind_the_last_with_its_traffic() {
    let text = added(TWO, "7", Some("a \"b\""), "dscp = ef");
    assert!(text.contains("  addrule: proto = tcp;\n\nset: class = 7, name = \"a \\\"b\\\"\";\n  addrule: dscp = ef;\n\nload: others;"), "{text}");
    assert_eq!(added("", "1", None, "dscp = ef"), "set: class = 1;\naddrule: dscp = ef;\n");
    let included = "include: \"nine.csn\", \"traffic.csn\"; # nine\nload: others;";
    let text = added(included, "1", None, "dstport = nine");
    assert_eq!(
        text,
        "include: \"nine.csn\", \"traffic.csn\"; # nine\nset: class = 1;\naddrule: dstport = nine;\nload: others;"
    );
}

#[test]
fn a_class_goes_with_its_traffic_and_a_rule_with_its_own() {
    assert_eq!(
        removed(TWO, &Removal::Class("voice")),
        "# two classes\n\nset: class = 2;\n  addrule: proto = tcp;\n\nload: others;"
    );
    let by_name = format!("{TWO}\nload: class = \"voice\", flows = 3;\nload: class = 1..1, size = imix;");
    assert_eq!(removed(&by_name, &Removal::Class("1")), removed(TWO, &Removal::Class("1")));
    let text = "set: class = 1;\naddrule: proto = udp;\naddrule: proto = tcp;\nload: rule = 2, flows = 5;\nload: all, ttl = 3;";
    let edit = remove("x.csn", text, &mut Files, &Removal::Rule(2)).unwrap();
    assert_eq!(edit.text, "set: class = 1;\naddrule: proto = udp;\nload: all, ttl = 3;");
    let lines: Vec<_> = edit.changes.iter().map(|c| (c.added, c.line)).collect();
    assert_eq!(lines, [(false, 3), (false, 4)]);
}

#[test]
fn a_rule_is_known_by_what_it_means() {
    let text = "define: web = {80, 443};\nset: class = 1;\naddrule: dstport = web, proto = tcp;\naddrule: proto = 6, dstport = {443, 80}, both;";
    assert!(
        removed(text, &Removal::RuleOf("1", "proto = tcp, dstport = {80, 443}"))
            .ends_with("set: class = 1;\naddrule: proto = 6, dstport = {443, 80}, both;")
    );
    assert!(
        removed(text, &Removal::RuleOf("1", "both, dstport = web, proto = tcp"))
            .ends_with("dstport = web, proto = tcp;")
    );
    let each = "set: class = 1;\naddrule: dstport = each 1..3;\naddrule: dstport = 9;";
    assert_eq!(
        removed(each, &Removal::RuleOf("1", "dstport = each {1, 2, 3}")),
        "set: class = 1;\naddrule: dstport = 9;"
    );
    for one in [Removal::Rule(2), Removal::RuleOf("1", "dstport = 2")] {
        assert_eq!(codes(remove("x.csn", each, &mut Files, &one)), ["E604"]);
    }
    for missing in ["dstport = 4", "5", "0"] {
        assert_eq!(codes(remove("x.csn", each, &mut Files, &Removal::RuleOf("1", missing))), ["E602"]);
    }
    assert_eq!(codes(remove("x.csn", each, &mut Files, &Removal::RuleOf("1", "dstport = wbe"))), ["E101"]);
}

#[test]
fn a_mistake_in_the_rule_is_shown_in_the_word_of_the_command() {
    let try_add = |rule| {
        let addition = Addition { class: "1", class_name: None, rule };
        let refused = add("x.csn", TWO, &mut Files, &addition).unwrap_err();
        let d = &refused.diagnostics[0];
        assert_eq!(refused.sources.name(d.span.file), "RULE", "{d:?}");
        (d.code, refused.sources.slice(d.span).to_owned())
    };
    assert_eq!(try_add("proto = udp, dstprot = 53"), ("E110", "dstprot".into()));
    assert_eq!(try_add("addrule: proto = icmp, dstport = 53;"), ("E204", "dstport = 53".into()));
    assert_eq!(try_add("addrule: proto = udp dstport = 53").0, "E006");
    assert_eq!(try_add("dstport = web"), ("E101", "web".into()));
    assert_eq!(try_add("dstport = {1, 2"), ("E003", "{".into()));
    assert_eq!(try_add("proto = udp; set: class = 8").0, "E607");
    assert_eq!(try_add("").0, "E007");
}

#[test]
fn what_would_break_the_file_is_refused() {
    let try_add = |text: &str, class, rule| {
        codes(add("x.csn", text, &mut Files, &Addition { class, class_name: None, rule }))
    };
    let numbered = format!("{TWO}\nload: rule = 2, flows = 9;");
    assert_eq!(try_add(&numbered, "1", "dscp = ef"), ["E605"]);
    assert!(added(&numbered, "2", None, "dscp = ef").ends_with("load: rule = 2, flows = 9;"));
    assert_eq!(try_add("set: class = 1..2;\naddrule: dstport = each 1..2;", "2", "dscp = ef"), ["E604"]);
    assert_eq!(try_add(TWO, "vioce", "dscp = ef"), ["E602"]);
    assert_eq!(try_add(TWO, "others", "dscp = ef"), ["E602"]);
    assert_eq!(try_add(TWO, "0", "dscp = ef"), ["E207"]);
    assert_eq!(try_add("include: \"nine.csn\";", "9", "dscp = ef"), ["E603"]);
    let try_remove = |text: &str, class| codes(remove("x.csn", text, &mut Files, &Removal::Class(class)));
    assert_eq!(try_remove(&numbered.replace("rule = 2", "rule = 1..2"), "1"), ["E605"]);
    assert_eq!(try_remove(&format!("{TWO}load: class = {{1, 2}}, flows = 2;"), "2"), ["E604"]);
    assert_eq!(try_remove("set: class = 1;\naddrule: dscp = ef;\ninclude: \"traffic.csn\";", "1"), ["E603"]);
    // the weights of what is left would not come to 100 %
    let full =
        "set: class = 1;\naddrule: dscp = ef;\nload: class, weight = 60%;\nload: others, weight = 40%;";
    assert_eq!(try_remove(full, "1"), ["E304"]);
    assert_eq!(try_remove(&format!("{full}\nvary: rules = 0, 1;"), "1"), ["E304", "E401"]);
}

#[test]
fn errors_that_do_not_concern_rules_are_no_hindrance() {
    let text = "set: class = 1;\naddrule: dscp = ef;\nload: class, weight = 60%;\nrun: rate = 20;";
    let edit = add("x.csn", text, &mut Files, &Addition { class: "2", class_name: None, rule: "dscp = le" })
        .unwrap();
    assert!(edit.outcome.has_errors());
    assert!(edit.text.contains("weight = 60%;\nset: class = 2;\naddrule: dscp = le;\nrun"), "{}", edit.text);
}

#[test]
fn warnings_that_the_edit_brings_are_told_and_old_ones_are_not() {
    let text =
        "define: unused = 1;\nset: class = 1;\naddrule: proto = udp;\nset: class = 2;\naddrule: proto = tcp;";
    let addition = Addition { class: "2", class_name: None, rule: "proto = udp, dstport = 53" };
    let edit = add("x.csn", text, &mut Files, &addition).unwrap();
    assert_eq!(edit.news.iter().map(|d| d.code).collect::<Vec<_>>(), ["W251"]);
    let edit = remove("x.csn", text, &mut Files, &Removal::Rule(2)).unwrap();
    assert_eq!(edit.news.iter().map(|d| d.code).collect::<Vec<_>>(), ["W208"]);
}
