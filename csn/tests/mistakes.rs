//! One file with ten mistakes: all are found at once, each at its place, and nothing else.

use csn::{NoLoader, compile};

const TEN: &str = r#"scenario: titel = "ten mistakes";
define: web = {80, 443, 8000..8080}, dns-server = 192.0.2.53;

set: class = 1, name = "voice"
addrule: srcip = 10.1.0.0/16, proto = udp, dscp = eff;

set: class = 2;
addrule: destport = web, proto = tcp;
addrule: proto = icmp, dstport = 53, dstip = dns-server;

set: class = 2, name = "mail";
addrule: dstport = 70000;

load: class = "voice", weight = 20%;
run: rate = 20 kps, time = 0 s;
vary: rulez = 0, 1;
"#;

#[test]
fn ten_mistakes_are_ten_findings() {
    let out = compile("ten.csn", TEN, &mut NoLoader);
    let found: Vec<_> = out
        .diagnostics
        .iter()
        .map(|d| {
            let (line, column) = out.sources.line_column(d.span.file, d.span.start);
            format!("{} {line}:{column}", d.code)
        })
        .collect();
    let expected = [
        "E111 1:11",  // titel
        "E004 4:31",  // `;` is missing
        "E101 5:51",  // eff
        "E110 8:10",  // destport
        "E204 9:24",  // ICMP has no ports
        "E202 11:6",  // class 2 is there already
        "E113 12:20", // 70000
        "E119 15:16", // kps
        "E113 15:28", // 0 s
        "E111 16:7",  // rulez
    ];
    let messages: Vec<_> = out.diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect();
    assert_eq!(found, expected, "{messages:#?}");
}

#[test]
fn every_finding_says_why_and_what_to_write_instead() {
    let out = compile("ten.csn", TEN, &mut NoLoader);
    for d in &out.diagnostics {
        assert!(!d.message.is_empty() && !d.reason.is_empty() && !d.cure.is_empty(), "{d:?}");
        assert!(!d.message.ends_with('.'), "{}", d.message);
        assert!(csn::Code::find(d.code).is_some_and(|c| c.severity == d.severity));
    }
    let cures: Vec<_> = out.diagnostics.iter().map(|d| d.cure.as_str()).collect();
    for word in ["title", "ef", "dstport", "kpps", "rules"] {
        assert!(cures.iter().any(|c| c.contains(&format!("`{word}`"))), "{word}: {cures:?}");
    }
}

#[test]
fn the_paper_s_example_is_accepted_as_printed() {
    let text = "# Classification based on portnumbers
define: tanya-gen= 192.168.75.106, bsd-meter =192.168.115.204;

set : class = 1;
addrule: scrip=tanya-gen, dstip= bsd-meter, proto= udp,
dstport =2000;

set : class = 2;
addrule: scrip=tanya-gen, dstip= bsd-meter, proto= udp,
dstport =2001;
";
    let out = compile("paper.csn", text, &mut NoLoader);
    let codes: Vec<_> = out.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["L130", "L130"]);
    assert_eq!(
        out.scenario.rules.rules[1].to_string(),
        "srcip = 192.168.75.106, dstip = 192.168.115.204, proto = 17, dstport = 2001"
    );
    let shares: Vec<_> = out.scenario.mix.components.iter().map(|c| c.share).collect();
    assert_eq!(shares, [0.5, 0.5]);
}

#[test]
fn habits_from_elsewhere_are_told_how_it_is_written_here() {
    for (rule, word) in [
        ("srcip = 10.0.0.0-10.0.0.5", "`..`"),
        ("ttl = ..64", "before `..`"),
        ("ttl = 64..", "behind `..`"),
        ("dstport = 80 or 443", "set"),
        ("proto = tcp | udp", "set"),
        ("dstport = [80]", "`{a, b}`"),
        ("srcip = 2001:db8", "2001:db8::1"),
        ("srcmac = 02-00-00-00-00-01", "02:00:00:00:00:01"),
        ("srcmac = 00:11:22:00:00:00/24", "ff:ff:ff:00:00:00"),
        ("srcip = 10.0.0.0/255.255.0.0", "`/16`"),
        ("srcip = 10.0.0.0/0.0.0.255", "`/24`"),
        ("dport = 53", "`dstport`"),
        ("tcpflags = syn, ack", "`+`"),
        ("dstport = 80, 443", "`dstport = {a, b}`"),
        ("dstport > 1023", "`0..1023`"),
    ] {
        let out = compile("habit.csn", &format!("set: class = 1;\naddrule: {rule};"), &mut NoLoader);
        let cures: Vec<_> = out.diagnostics.iter().map(|d| d.cure.as_str()).collect();
        assert!(cures.iter().any(|c| c.contains(word)), "{rule}: {cures:?}");
    }
}

#[test]
fn a_name_of_the_wrong_kind_is_not_said_to_be_unknown() {
    let text = "define: server = 10.0.0.1;\nset: class = 1;\naddrule: dstip = server;\nrun: seed = server;";
    let out = compile("kind.csn", text, &mut NoLoader);
    let [found] = out.diagnostics.as_slice() else { panic!("{:#?}", out.diagnostics) };
    assert_eq!(found.code, "E112");
    assert!(found.reason.contains("10.0.0.1") && !found.cure.contains("`server`"), "{found:?}");
}
