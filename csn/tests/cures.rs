//! Mistakes of people who come from other notations: one finding each, whose cure is what they need to know.

use csn::{NoLoader, compile};

/// What stands behind `set: class = 1;`, the word that the finding points at, the code, and what the cure says.
const RULES: &[(&str, &str, &str, &str)] = &[
    ("addrule: srcip = 10.1.*;", ".", "E001", "10.1.0.0/16"),
    ("addrule: srcip = www.example.com;", ".", "E001", "an address by its numbers"),
    ("addrule: srcip = 10.0.0.0/255.240.0.0;", "255.240.0.0", "E112", "`/12`"),
    (
        "addrule: srcip = 10.0.0.0/255.0.255.0;",
        "255.0.255.0",
        "E112",
        "write the addresses as prefixes or ranges",
    ),
    ("addrule: port = 80;", "port", "E110", "`srcport` or `dstport`"),
    ("addrule: saddr = 10.0.0.1;", "saddr", "E110", "`srcip`"),
    ("addrule: protocol = udp;", "protocol", "E110", "`proto`"),
    ("addrule: proto = tcp, dstport = 80, 443;", "443", "E013", "`dstport = {a, b}`"),
    ("addrule: dstport = {80 443};", "443", "E001", "write `,` between them"),
    ("addrule: dstport = 80-90;", "-90", "E001", "`80..90`"),
    ("addrule: srcip = 10.0.0.1-10.0.0.9;", "-10", "E001", "write `..`"),
    ("addrule: dstport = 80..;", "", "E001", "behind `..`"),
    ("addrule: srcip = 10.0.0.1 and dstport = 80;", "and", "E001", "write `,`"),
    ("addrule: srcip = 10.0.0.1 or 10.0.0.2;", "or", "E001", "{a, b}"),
    ("addrule: dstport = 80 or 443;", "443", "E001", "second rule"),
    ("addrule: dstport > 1023;", ">", "E012", "a range"),
    ("addrule proto = udp;", "", "E001", "write `:`"),
    ("addrule: proto = udp; // why", "//", "E005", "comments start with `#`"),
    ("rule: proto = udp;", "rule", "E005", "`addrule`"),
    ("run: rate = 10 mbps;", "mbps", "E119", "`Mbit/s`"),
    ("run: time = 5 sec;", "sec", "E119", "`s`"),
];

#[test]
fn a_mistake_from_elsewhere_is_one_finding_with_its_cure() {
    let mut wrong = String::new();
    for (statement, place, code, cure) in RULES {
        let out = compile("x.csn", &format!("set: class = 1;\n{statement}\n"), &mut NoLoader);
        let errors: Vec<_> = out.diagnostics.iter().filter(|d| d.code.starts_with('E')).collect();
        match errors.as_slice() {
            [d] if d.code == *code && out.sources.slice(d.span) == *place && d.cure.contains(cure) => {}
            found => {
                let found: Vec<_> =
                    found.iter().map(|d| (d.code, out.sources.slice(d.span), &d.message, &d.cure)).collect();
                wrong.push_str(&format!(
                    "{statement}\n  wanted {code} at `{place}`, {cure}\n  found {found:?}\n"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_class_that_is_opened_by_its_name_is_told_that_it_needs_a_number() {
    for (class, code, cure) in
        [("voice", "E101", "class = 1, name = \"voice\""), ("\"v\"", "E112", "name = \"v\"")]
    {
        let out = compile("x.csn", &format!("set: class = {class};\naddrule: proto = udp;"), &mut NoLoader);
        let [d] = out.diagnostics.as_slice() else { panic!("{:?}", out.diagnostics) };
        assert!(d.code == code && d.cure.contains(cure), "{d:?}");
    }
    // a `;` that is missing before a keyword without its colon
    let out = compile("x.csn", "set: class = 1\naddrule proto = udp;", &mut NoLoader);
    assert_eq!(out.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E004", "E001"]);
}
