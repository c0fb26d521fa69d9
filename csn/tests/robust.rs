//! Nothing that somebody feeds to the front end makes it panic, and layout keeps the meaning.

use csn::{NoLoader, compile};
use proptest::prelude::*;

/// What scenarios are made of, and what is easily confused with it.
const TOKENS: &[&str] = &[
    "include",
    "define",
    "set",
    "addrule",
    "load",
    "meter",
    "run",
    "vary",
    "expect",
    "scenario",
    ":",
    ";",
    ",",
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "..",
    ".",
    "/",
    "+",
    "-",
    "{",
    "}",
    "(",
    ")",
    "\"",
    "\\",
    "#",
    "\n",
    " ",
    "class",
    "rule",
    "others",
    "all",
    "any",
    "each",
    "both",
    "name",
    "srcip",
    "scrip",
    "dstport",
    "proto",
    "tcpflags",
    "dscp",
    "tos",
    "fragment",
    "flowlabel",
    "icmptype",
    "srcmac",
    "ethertype",
    "length",
    "weight",
    "of",
    "flows",
    "size",
    "arrival",
    "order",
    "payload",
    "miss",
    "from",
    "rate",
    "time",
    "repeat",
    "seed",
    "rules",
    "loss",
    "memory",
    "search",
    "max",
    "imix",
    "poisson",
    "near",
    "udp",
    "tcp",
    "syn",
    "ack",
    "ef",
    "http",
    "web",
    "a",
    "b",
    "0",
    "1",
    "2",
    "80",
    "70000",
    "0x0f",
    "1.5",
    "10.0.0.1",
    "10.0.0.0/8",
    "10.0.0.300",
    "2001:db8::1",
    "::",
    "02:00:00:00:00:01",
    "20 kpps",
    "60 Mbit/s(ip)",
    "20%",
    "5 s",
    "200 B(payload)",
    "\"x\"",
    "é",
    "\u{feff}",
    "\r",
    "340282366920938463463374607431768211456",
];

/// Statements that are right by themselves, and whole together in most orders.
const STATEMENTS: &[&str] = &[
    "define: web = {80, 443, 8000..8080}, host=192.0.2.1 ;",
    "set: class=1, name = \"voice\";addrule: proto = udp, dscp = ef ;",
    "set : class = 2..4 ; addrule:dstport=each 2000 .. 2002,proto=udp,both;",
    "set: class = 5; addrule: dstip = host, dstport = web; addrule: srcip = {10.0.0.0 / 8, 2001:db8::/32};",
    "set: class = 6; # flags\naddrule: tcpflags = syn/syn+ack, srcip != 10.0.0.0/8; addrule: tcpflags = 0x02 / 0x12;",
    "load: class = 1, weight = 20 %, flows = 200, size = imix # how much\n;",
    "load: others, miss = near, weight=10%; load: all, ttl = 64, srcport = 1024..65535, payload = \"a\\\"b;\";",
    "load: class = 2, size = 64..1500 B, arrival = poisson, order = random;",
    "meter: rtfm, rtfm( prefilter=bpf,n = {1,2} ), nftables;",
    "run: rate = 60Mbit/s( atm ), time=1.5 s, repeat = 3, seed = 0x10;",
    "vary: rules = 0, 1,2; vary: others = 0%, 50%; vary: size=64 B,imix;",
    "expect: loss < 1%, misclassified = 0, cpu<=80 %, memory <= 64 MB;",
    "scenario: title = \"layout; # no comment\", tags = {a, b};",
    "\n\n# a comment\n\n",
];

/// A scenario in Rust's notation without its places, and the codes of what was found.
fn meaning(text: &str) -> (String, Vec<&'static str>) {
    let out = compile("x.csn", text, &mut NoLoader);
    let mut rest = format!("{:?}", out.scenario);
    let mut scenario = String::new();
    while let Some(at) = rest.find("Span {") {
        let end = at + rest[at..].find('}').unwrap();
        scenario.push_str(&rest[..at]);
        rest.drain(..=end);
    }
    (scenario + &rest, out.diagnostics.iter().chain(&out.unexecuted).map(|d| d.code).collect())
}

/// Every place lies within its text, on the borders of characters.
fn check_places(text: &str) {
    let out = compile("x.csn", text, &mut NoLoader);
    for d in out.diagnostics.iter().chain(&out.unexecuted) {
        let spans = d.related.iter().map(|l| l.span).chain([d.span]);
        for span in spans {
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{d:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        check_places(&text);
        let _ = csn::format(&text);
        let _ = csn::parse_packet(&text);
    }

    #[test]
    fn token_soup_never_panics(tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..60), space: bool) {
        let text = tokens.join(if space { " " } else { "" });
        check_places(&text);
        let _ = csn::parse_packet(&text);
        if let Ok(once) = csn::format(&text) {
            prop_assert_eq!(csn::format(&once).unwrap(), once.clone());
            prop_assert_eq!(meaning(&text), meaning(&once));
        }
    }

    #[test]
    fn damaged_scenarios_never_panic(
        picks in prop::collection::vec(prop::sample::select(STATEMENTS), 1..6),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(TOKENS)), 1..4),
    ) {
        let mut text = picks.join("\n");
        for (at, token) in cuts {
            let mut i = at.index(text.len() + 1);
            while !text.is_char_boundary(i) {
                i -= 1;
            }
            text.insert_str(i, token);
        }
        check_places(&text);
        if let Ok(once) = csn::format(&text) {
            prop_assert_eq!(csn::format(&once).unwrap(), once.clone());
            prop_assert_eq!(meaning(&text), meaning(&once));
        }
    }

    #[test]
    fn layout_keeps_the_meaning_and_is_stable(picks in prop::collection::vec(prop::sample::select(STATEMENTS), 1..12)) {
        let text = picks.join(" ");
        let once = csn::format(&text).unwrap();
        prop_assert_eq!(csn::format(&once).unwrap(), once.clone());
        prop_assert_eq!(meaning(&text), meaning(&once));
        prop_assert_eq!(text.matches('#').count(), once.matches('#').count());
    }
}

/// Found by the properties above.
#[test]
fn a_unit_does_not_run_into_what_follows() {
    let text = "set: class = 1; addrule: tcpflags = 5 s / x;";
    assert_eq!(csn::format(text).unwrap_err()[0].code, "E001");
}

#[test]
fn names_that_hold_names_twice_end() {
    let mut text = String::from("set: class = 1; addrule: dstport = each n0; addrule: dstport = n0;");
    for i in 0..60 {
        text += &format!("define: n{i} = {{n{}, n{}}};", i + 1, i + 1);
    }
    text += "define: n60 = 80;";
    let out = compile("x.csn", &text, &mut NoLoader);
    assert!(out.has_errors());
    // and a chain as long as the file
    let mut text = String::from("set: class = 1; addrule: dstport = n0;");
    for i in 0..20_000 {
        text += &format!("define: n{i} = n{};", i + 1);
    }
    text += "define: n20000 = n0;";
    let out = compile("x.csn", &text, &mut NoLoader);
    assert_eq!(out.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E103"]);
}

#[test]
fn a_hundred_thousand_rules_compile() {
    let mut text = String::from("define: meter-host = 192.0.2.1;\n");
    for i in 0..100_000 {
        let (a, b) = (i / 250 % 250, i % 250);
        text += &format!(
            "set: class = {};\naddrule: srcip = 10.{}.{a}.{b}, dstip = meter-host, proto = udp, dstport = {};\n",
            i + 1,
            i / 62_500,
            i % 65_536
        );
    }
    let start = std::time::Instant::now();
    let out = compile("big.csn", &text, &mut NoLoader);
    println!("100,000 rules in {:?}", start.elapsed());
    let found: Vec<_> = out.diagnostics.iter().map(|d| d.code).collect();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(out.scenario.rules.rules.len(), 100_000);
    assert_eq!(out.scenario.mix.components.len(), 100_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mask_leaves_just_the_bits_free_that_it_does_not_have(value: u16, mask: u16) {
        let value = value & mask;
        let text = format!("set: class = 1; addrule: srcport = {value:#x}/{mask:#x};");
        let out = compile("x.csn", &text, &mut NoLoader);
        prop_assert!(!out.has_errors(), "{:?}", out.diagnostics);
        let passes: Vec<u16> = out.scenario.rules.rules[0].tests[0]
            .1
            .ranges()
            .iter()
            .flat_map(|r| r.lo.bits as u16..=r.hi.bits as u16)
            .collect();
        let wanted: Vec<u16> = (0..=u16::MAX).filter(|port| port & mask == value).collect();
        prop_assert!(passes == wanted, "{} values for {}", passes.len(), wanted.len());
    }
}
