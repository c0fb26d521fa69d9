//! Edits by command, on texts as people write them: the scenarios of this project and the examples of the
//! specification, laid out at random, with comments anywhere.

use csn::edit::{Addition, Edited, Removal, add, remove};
use csn::sample::Random;
use csn::{Loader, Outcome, Rule, compile};
use std::path::Path;

/// The files that scenarios of this project include.
struct Files;

impl Loader for Files {
    fn load(&mut self, including: &str, path: &str) -> Result<(String, String), String> {
        let path = Path::new(including).parent().unwrap_or(Path::new("")).join(path);
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        Ok((path.display().to_string(), text))
    }
}

/// Every scenario, and every example of the specification: name and text.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    let mut folders = vec![root.join("../scenarios"), root.join("spec")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().map(|e| e.to_string_lossy().into_owned());
            match extension.as_deref() {
                None if path.is_dir() => folders.push(path),
                Some("csn") => {
                    out.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
                }
                Some("md") => {
                    let page = std::fs::read_to_string(&path).unwrap();
                    let examples = page.split("```csn\n").skip(1).filter_map(|rest| rest.split("```").next());
                    out.extend(examples.map(|e| (path.display().to_string(), e.to_owned())));
                }
                _ => {}
            }
        }
    }
    out.sort();
    let mut random = Random::new(13);
    out.extend((0..60).map(|i| (format!("random {i}"), generated(&mut random))));
    out
}

/// Classes with rules and traffic, some of them on one line.
fn generated(random: &mut Random) -> String {
    const BETWEEN: [&str; 5] = ["\n", "\n", " ", "\n\n", " # behind\n"];
    let mut out = String::from("define: web = {80, 443}, voice-ports = 16384..16484;\n\n");
    let mut put = |random: &mut Random, text: String| {
        out.push_str(&text);
        out.push_str(random.pick::<&str>(&BETWEEN));
    };
    for class in 1..=1 + random.below(6) {
        let name = if random.chance(50) { format!(", name = \"c{class}\"") } else { String::new() };
        put(random, format!("set: class = {class}{name};"));
        for rule in 0..random.below(4) {
            let fields = ["dstport = web", "srcport = voice-ports", "dscp = ef", "ttl = 3..9"];
            let field = *random.pick(&fields);
            put(random, format!("addrule: srcip = 10.{class}.{rule}.0/24, {field};"));
            if random.chance(20) {
                put(random, format!("load: class, flows = {};", rule + 1));
            }
            if random.chance(10) {
                put(random, format!("load: class = {class}, size = 100 B;"));
            }
        }
    }
    out.push_str("load: all, ttl = 64;\n");
    out
}

/// The same statements in another layout: space and comments between the words, other ends of lines, none at the end
/// of the file, a byte order mark.
fn laid_out(text: &str, random: &mut Random) -> String {
    const SPACES: [&str; 8] =
        [" ", "  ", "\t", "\n", "\n\n", " # why; \"not\"\n", "\n# set: class = 9;\n    ", " \n  \n"];
    let (mut quoted, mut comment) = (false, false);
    let mut out = String::new();
    let wild = random.below(30);
    for c in text.chars() {
        match c {
            '\n' => (quoted, comment) = (false, false),
            '"' if !comment => quoted = !quoted,
            '#' if !quoted => comment = true,
            _ => {}
        }
        let between = c == ' ' && !quoted && !comment;
        out.push(c);
        if (between || (c == ';' && !quoted && !comment)) && random.chance(wild) {
            out.push_str(random.pick::<&str>(&SPACES));
        }
    }
    if random.chance(30) {
        out.truncate(out.trim_end().len());
    }
    if random.chance(30) {
        out = out.replace('\n', "\r\n");
    }
    if random.chance(10) {
        out.insert(0, '\u{feff}');
    }
    out
}

const RULES: [&str; 6] = [
    "proto = udp, dstport = 53",
    "srcip = {10.0.0.0/8, 2001:db8::/32}, both",
    "dscp = ef",
    "proto=tcp,tcpflags = syn/syn+ack # opening\n, dstport != 22",
    "srcip = 192.0.2.1, dstport = each 1..5, proto = 17",
    "vlan = 7",
];

/// The rules of a scenario by the numbers of their classes.
fn rules(outcome: &Outcome) -> Vec<(u32, Rule)> {
    let set = &outcome.scenario.rules;
    let plain = |r: &Rule| Rule { span: csn::Span::default(), class: csn::ClassId::OTHERS, ..r.clone() };
    set.rules.iter().map(|r| (set.classes[r.class.index()].number, plain(r))).collect()
}

/// Whether `long` is `short` with one stretch put in.
fn one_insertion(short: &str, long: &str) -> bool {
    let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let before = same(&mut short.bytes(), &mut long.bytes());
    let behind = same(&mut short.bytes().rev(), &mut long.bytes().rev());
    long.len() > short.len() && before + behind >= short.len()
}

#[test]
fn a_rule_that_is_added_and_removed_leaves_the_file_as_it_was() {
    let mut random = Random::new(11);
    let (mut made, mut opened) = (0, 0);
    for (name, text) in texts() {
        for _ in 0..16 {
            let text = laid_out(&text, &mut random);
            let before = compile(&name, &text, &mut Files);
            let classes = &before.scenario.rules.classes;
            let class = match random.below(classes.len()) {
                0 => "4711".to_owned(),
                n => classes[n].label(),
            };
            let is_new = class == "4711";
            let rule = *random.pick(&RULES);
            let addition = Addition { class: &class, class_name: is_new.then_some("a new one"), rule };
            // files whose rules are in error, and classes that are made together, are refused
            let Ok(edit) = add(&name, &text, &mut Files, &addition) else { continue };
            assert!(one_insertion(&text, &edit.text), "{text}\n---\n{}", edit.text);
            let (old, new) = (rules(&before), rules(&edit.outcome));
            let number =
                if is_new { 4711 } else { classes.iter().find(|c| c.label() == class).unwrap().number };
            let count = if rule.contains("each") { 5 } else { 1 };
            let last = old.iter().rposition(|(c, _)| *c == number);
            let at = match last {
                Some(last) => last + 1,
                None => new.iter().position(|(c, _)| *c == number).unwrap(),
            };
            let wanted = compile("", &format!("set: class = {number}; addrule: {rule};"), &mut Files);
            assert_eq!(new[at..at + count], rules(&wanted)[..], "{}", edit.text);
            let rest: Vec<_> = new[..at].iter().chain(&new[at + count..]).cloned().collect();
            assert_eq!(rest, old, "{}", edit.text);
            let removal = if is_new { Removal::Class("4711") } else { Removal::RuleOf(&class, rule) };
            let back = match remove(&name, &edit.text, &mut Files, &removal) {
                Ok(back) => back,
                // the addition mended the file, and to break it again is refused
                Err(refused) => {
                    assert!(before.has_errors(), "{:?} after {}", refused.diagnostics, edit.text);
                    continue;
                }
            };
            assert_eq!(back.text, text, "after {}", edit.text);
            made += 1;
            opened += usize::from(is_new);
        }
    }
    assert!(made > 1000 && opened > 300, "{made} edits, {opened} of them new classes");
}

#[test]
fn a_removal_takes_one_class_or_rule_and_keeps_every_comment_that_stands_by_itself() {
    let mut random = Random::new(12);
    let mut made = 0;
    for (name, text) in texts() {
        for _ in 0..16 {
            let text = laid_out(&text, &mut random);
            let before = compile(&name, &text, &mut Files);
            let set = &before.scenario.rules;
            if set.rules.is_empty() {
                continue;
            }
            let rule = random.below(set.rules.len());
            let label = set.label(set.rules[rule].class);
            let by_class = random.chance(50);
            let removal = if by_class { Removal::Class(&label) } else { Removal::Rule(rule + 1) };
            let Ok(edit) = remove(&name, &text, &mut Files, &removal) else { continue };
            let number = set.classes[set.rules[rule].class.index()].number;
            let mut expected = rules(&before);
            match by_class {
                true => expected.retain(|(c, _)| *c != number),
                false => drop(expected.remove(rule)),
            }
            assert_eq!(rules(&edit.outcome), expected, "{text}\n---\n{}", edit.text);
            rest_is_there(&text, &edit);
            made += 1;
        }
    }
    assert!(made > 600, "{made} removals");
}

#[test]
fn no_text_and_no_word_makes_an_edit_panic_and_what_is_added_to_a_broken_file_is_one_stretch() {
    const SHREDS: [&str; 16] = [
        ";",
        "\"",
        "{",
        "}",
        "#",
        "\r",
        "\n",
        ":",
        ",",
        "é",
        "\u{feff}",
        "set: class = 3;",
        "addrule:",
        "load: class",
        "each ",
        "=",
    ];
    let mut random = Random::new(14);
    let shred = |text: &str, random: &mut Random| {
        let mut out = text.to_owned();
        for _ in 0..1 + random.below(4) {
            let places: Vec<usize> = out.char_indices().map(|(i, _)| i).collect();
            let at = if places.is_empty() { 0 } else { *random.pick(&places) };
            match random.below(3) {
                0 => out.insert_str(at, random.pick::<&str>(&SHREDS)),
                1 if !out.is_empty() => drop(out.remove(at)),
                _ => out.truncate(if random.chance(10) { at } else { out.len() }),
            }
        }
        out
    };
    let mut made = 0;
    for (name, text) in texts() {
        for _ in 0..10 {
            let text = shred(&text, &mut random);
            let rule = shred(random.pick::<&str>(&RULES), &mut random);
            let class = ["1", "2", "voice", "77", "", "others"][random.below(6)];
            let addition = Addition { class, class_name: None, rule: &rule };
            if let Ok(edit) = add(&name, &text, &mut Files, &addition) {
                assert!(one_insertion(&text, &edit.text), "{text:?}\n{:?}", edit.text);
                made += 1;
            }
            for removal in
                [Removal::Class(class), Removal::Rule(random.below(4)), Removal::RuleOf(class, &rule)]
            {
                if let Ok(edit) = remove(&name, &text, &mut Files, &removal) {
                    assert!(edit.text.len() < text.len());
                    made += 1;
                }
            }
        }
    }
    assert!(made > 200, "{made} edits");
}

/// What is left of a text is a part of it, in order; what is gone besides the statements is space, and comments at the
/// ends of their lines.
fn rest_is_there(text: &str, edit: &Edited) {
    let mut shorter = text.to_owned();
    let mut from = 0;
    for change in &edit.changes {
        let at = from + shorter[from..].find(&change.statement).unwrap();
        shorter.replace_range(at..at + change.statement.len(), "");
        from = at;
    }
    let own_lines = |t: &str| -> Vec<String> {
        t.trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim)
            .filter(|l| l.starts_with('#'))
            .map(String::from)
            .collect()
    };
    let bare = |t: &str| -> String {
        let lines = t
            .trim_start_matches('\u{feff}')
            .lines()
            .map(|l| if l.trim_start().starts_with('#') { "" } else { l });
        lines.flat_map(|l| l.split('#').next()).flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
    };
    assert_eq!(bare(&shorter), bare(&edit.text), "{text}\n---\n{}", edit.text);
    // a comment at the end of a line that is gone stands by itself in `shorter` only
    let mut left = own_lines(&edit.text).into_iter().peekable();
    own_lines(&shorter).iter().for_each(|c| drop(left.next_if_eq(c)));
    assert_eq!(left.next(), None, "{text}\n---\n{}", edit.text);
    let mut lost = own_lines(text).len();
    for change in &edit.changes {
        lost -= own_lines(&change.statement).len();
    }
    assert!(own_lines(&edit.text).len() >= lost, "{text}\n---\n{}", edit.text);
}
