use super::*;
use crate::print::test;

fn flow(keys: &str) -> String {
    format!("<FLOWDATA>\n<FLOW FLOWNAME=\"a\">\n{keys}\n</FLOW>\n</FLOWDATA>\n")
}

fn key(name: &str, value: &str) -> String {
    format!("<FLOWKEY NAME=\"{name}\" VALUE=\"{value}\"/>")
}

fn rule(text: &str) -> String {
    let read = FlowKeys.parse(text);
    assert_eq!(read.diagnostics, [], "{text}");
    let tests: Vec<_> = read.rules.rules[0].tests.iter().map(|(f, s)| test(*f, s)).collect();
    tests.join(", ")
}

#[test]
fn the_papers_figure_is_one_class() {
    let text = FlowKeys.example();
    assert_eq!(
        rule(text),
        "ethertype = ipv4, srcip = 172.20.1.2, dstip = 172.20.3.3, proto = tcp, srcport = 2000, dstport = 80"
    );
    let read = FlowKeys.parse(text).rules;
    assert_eq!(read.classes.len(), 2);
    assert_eq!(read.label(crate::ClassId(1)), "FLOW1");
}

#[test]
fn keys_mean_what_they_say() {
    assert_eq!(
        rule(&flow(&key("UDPDstPort", "\\x0f\\xd7"))),
        "srcip = 0.0.0.0/0, proto = udp, dstport = 4055"
    );
    assert_eq!(rule(&flow(&key("IPSrcAddr", "\\xac\\x14\\x01\\x02"))), "srcip = 172.20.1.2");
    assert_eq!(
        rule(&flow(&key("MacSrcAddr", "\\x02\\x00\\x00\\x00\\x00\\x01"))),
        "srcmac = 02:00:00:00:00:01"
    );
    assert_eq!(rule(&flow(&key("IPDstAddr", "{ANYBYTE}{4}"))), "dstip = 0.0.0.0/0");
    let both = key("TCPSrcPort", "{ANYBYTE}{2}") + &key("Type", "2048");
    assert_eq!(rule(&flow(&both)), "ethertype = ipv4, proto = tcp, srcport = 0..65535");
}

#[test]
fn flows_of_one_name_are_one_class() {
    let one = |port| format!("<FLOW FLOWNAME=\"web\">{}</FLOW>", key("TCPDstPort", port));
    let read = FlowKeys.parse(&format!("<FLOWDATA>{}{}</FLOWDATA>", one("80"), one("443")));
    assert_eq!(read.diagnostics, []);
    assert_eq!((read.rules.classes.len(), read.rules.rules.len()), (2, 2));
}

#[test]
fn a_finding_has_the_place_of_the_value() {
    for (name, value, code) in [
        ("IPProto", "256", "E501"),
        ("IPSrcAddr", "10.0.0", "E501"),
        ("IPSrcAddr", "{ANYBYTE}{6}", "E501"),
        ("Type", "\\x08", "E501"),
        ("Type", "\\x08\\x0", "E501"),
        ("TCPDstPort", "80-90", "E501"),
        ("TCPDstPort", " ", "E501"),
    ] {
        let text = flow(&key(name, value));
        let read = FlowKeys.parse(&text);
        assert!(read.rules.rules.is_empty(), "{text}");
        assert_eq!(read.diagnostics.len(), 1, "{text}");
        let (found, place) = (read.diagnostics[0].code, read.diagnostics[0].span);
        assert_eq!((found, &text[place.start as usize..place.end as usize]), (code, value));
    }
    let text = flow(&(key("IPProto", "17") + &key("TCPDstPort", "80")));
    let read = FlowKeys.parse(&text);
    assert_eq!(read.diagnostics[0].code, "E502");
    let place = read.diagnostics[0].span;
    assert_eq!(&text[place.start as usize..place.end as usize], "80");
}

#[test]
fn what_is_not_of_the_format_is_named_by_its_place() {
    let at = |text: &str| {
        let read = FlowKeys.parse(text);
        let place = read.diagnostics[0].span;
        text[place.start as usize..place.end as usize].to_owned()
    };
    assert_eq!(at(&flow(&key("VlanId", "5"))), "<FLOWKEY NAME=\"VlanId\" VALUE=\"5\"/>");
    assert_eq!(at("<FLOWS><FLOW/></FLOWS>"), "<FLOWS>");
    assert_eq!(at("<FLOWDATA>\n<FLOW>x</FLOW></FLOWDATA>"), "<FLOW>");
    assert_eq!(at("<FLOWDATA><RULE a=\"é\"/></FLOWDATA>"), "<RULE a=\"é\"/>");
    // the figure's own quotation marks, as the paper prints them
    assert_eq!(at("<FLOWDATA>\n<FLOW FLOWNAME=”é”/>\n</FLOWDATA>"), "”");
}
