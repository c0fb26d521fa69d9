//! Holds the grammar for editors against the parser: over every scenario, the reference and the specification, each
//! token of the parser must get the scope of its kind, and nothing may be called invalid.

mod textmate;

use crate::parse::{Token, TokenKind, tokens};
use crate::resolve::{vocabulary, words};
use crate::{Field, Severity, reference};
use std::collections::BTreeSet;
use std::path::Path;
use textmate::Grammar;

fn grammar() -> Grammar {
    Grammar::read(include_str!("../../editors/csn.tmLanguage.json"))
}

/// All texts that are held against the grammar, with their names.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    for block in reference::blocks().into_iter().filter(|b| b.info.starts_with("csn")) {
        out.push((format!("reference, block {}", out.len() + 1), block.text));
    }
    let mut folders = vec![root.join("../scenarios"), root.join("spec")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            let name = path.display().to_string();
            match path.extension().and_then(|e| e.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("csn") => out.push((name, std::fs::read_to_string(&path).unwrap())),
                Some("md") => {
                    let page = std::fs::read_to_string(&path).unwrap();
                    let blocks = page.split("\n```csn").skip(1).filter_map(|b| Some(b.split_once('\n')?.1));
                    let texts = blocks.map(|b| b.split("\n```").next().unwrap_or_default().to_owned());
                    out.extend(texts.enumerate().map(|(i, t)| (format!("{name}, block {}", i + 1), t)));
                }
                _ => {}
            }
        }
    }
    out
}

/// The scope that a token must have.
fn scope(all: &[Token<'_>], at: usize) -> &'static str {
    let token = &all[at];
    match token.kind {
        TokenKind::Keyword => "keyword.control",
        TokenKind::Word => word(all, at),
        TokenKind::Each => "keyword.operator.each",
        TokenKind::Number if token.text.contains(':') || token.text.matches('.').count() > 1 => {
            "constant.numeric.address"
        }
        TokenKind::Number => "constant.numeric",
        TokenKind::Unit if vocabulary::all_units().contains(&token.text) => "keyword.other.unit",
        TokenKind::Unit => "variable.other",
        TokenKind::Text => "string.quoted",
        TokenKind::Sign => "keyword.operator.comparison",
        TokenKind::Join => "keyword.operator",
        TokenKind::Open | TokenKind::Close => "punctuation.section",
        TokenKind::Comma | TokenKind::Colon => "punctuation.separator",
        TokenKind::End => "punctuation.terminator",
        TokenKind::Comment => "comment.line",
    }
}

fn word(all: &[Token<'_>], at: usize) -> &'static str {
    let text = all[at].text;
    // comments may stand anywhere
    let next = all[at + 1..].iter().find(|t| t.kind != TokenKind::Comment);
    let mut before = all[..at].iter().rev().filter(|t| t.kind != TokenKind::Comment);
    let is = |list: &[&str]| list.iter().any(|w| w.eq_ignore_ascii_case(text));
    if next.is_some_and(|t| t.kind == TokenKind::Open) {
        return "entity.name.function";
    }
    let in_statement = all[..at].iter().rev().take_while(|t| t.kind != TokenKind::End);
    let (mut depth, mut keyword) = (0, "");
    for t in in_statement {
        match t.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if t.kind == TokenKind::Keyword => keyword = t.text,
            _ => {}
        }
    }
    if next.is_some_and(|t| t.kind == TokenKind::Sign) {
        return match keyword.to_ascii_lowercase().as_str() {
            _ if depth > 0 => "variable.parameter",
            "define" => "entity.name.constant",
            _ if Field::from_name(text).is_some() || is(&["scrip"]) => "variable.other.field",
            _ if vocabulary::all_settings().contains(&text) => "support.type.property-name",
            _ => "variable.other",
        };
    }
    let opened = before.next().is_some_and(|t| t.text == "(");
    if opened && before.next().is_some_and(|t| t.kind == TokenKind::Unit) {
        return "support.constant.layer";
    }
    if is(&["both"]) {
        "keyword.other.both"
    } else if is(&words::RESERVED) && !is(&["scrip"]) {
        "constant.language"
    } else if is(&vocabulary::all_choices()) || words::known_by(text).is_some() {
        "support.constant"
    } else {
        "variable.other"
    }
}

#[test]
fn every_token_has_the_scope_of_its_kind() {
    let grammar = grammar();
    let (mut files, mut seen) = (0, BTreeSet::new());
    for (name, text) in texts() {
        // what cannot be read has no tokens to compare with
        if crate::format(&text).is_err() {
            continue;
        }
        files += 1;
        let scopes = grammar.scopes(&text);
        let all = tokens(&text);
        for (i, token) in all.iter().enumerate() {
            let start = token.text.as_ptr() as usize - text.as_ptr() as usize;
            let wanted = scope(&all, i);
            seen.insert(wanted);
            for (at, found) in scopes[start..start + token.text.len()].iter().enumerate() {
                let line = text[..start].matches('\n').count() + 1;
                let inside = token.kind == TokenKind::Text && found.starts_with("constant.character.escape");
                assert!(
                    found.starts_with(wanted) || inside,
                    "{name}:{line}: `{}` is {wanted}, and its character {at} is called `{found}`",
                    token.text
                );
            }
        }
    }
    assert!(files > 50 && seen.len() > 18, "{files} files, {seen:?}");
}

#[test]
fn nothing_in_a_valid_file_is_called_invalid_and_mistakes_are() {
    let grammar = grammar();
    for (name, text) in texts() {
        let outcome = crate::compile("x.csn", &text, &mut crate::NoLoader);
        let wrong = outcome.diagnostics.iter().any(|d| d.severity == Severity::Error && d.code < "E020");
        let invalid = grammar.scopes(&text).iter().any(|s| s.starts_with("invalid"));
        assert!(wrong || !invalid, "{name}: something valid is called invalid");
    }
    for text in ["set: class = 1 & 2;", "addrule: dstport = [80];", "scenario: title = \"a\\qb\";", "hello"] {
        assert!(grammar.scopes(text).iter().any(|s| s.starts_with("invalid")), "{text}");
    }
    // a statement without its end does not take the next one in
    let text = "set: class = 1\naddrule: proto = udp;";
    assert!(grammar.scopes(text)[text.find("addrule").unwrap()].starts_with("keyword.control"));
}

#[test]
fn the_words_of_the_grammar_are_those_of_the_tables() {
    let grammar = grammar();
    let set = |words: &[&'static str]| words.iter().map(|w| (*w).to_owned()).collect::<BTreeSet<_>>();
    let keywords = crate::ast::Keyword::ALL.map(|(k, _)| k);
    let mut statements = grammar.words("statement", "begin", 1);
    statements.insert("define".into());
    assert_eq!(statements, set(&keywords));
    for rule in ["statement", "definitions"] {
        assert_eq!(grammar.words(rule, "end", 1), set(&keywords), "{rule}");
    }
    let mut fields = Field::ALL.map(Field::name).to_vec();
    fields.push("scrip");
    assert_eq!(grammar.words("field", "match", 1), set(&fields));
    assert_eq!(grammar.words("setting", "match", 1), set(&vocabulary::all_settings()));
    assert_eq!(grammar.words("quantity", "match", 1), set(&vocabulary::all_units()));
    assert_eq!(grammar.words("quantity", "match", 2), set(&crate::Layer::ALL.map(crate::Layer::name)));
    let elsewhere = ["each", "both", "scrip"];
    let reserved: Vec<_> = words::RESERVED.into_iter().filter(|w| !elsewhere.contains(w)).collect();
    assert_eq!(grammar.words("reserved", "match", 1), set(&reserved));
    let mut constants = vocabulary::all_choices();
    constants.extend(Field::ALL.into_iter().flat_map(words::of).map(|(w, _)| *w));
    assert_eq!(grammar.words("word", "match", 1), set(&constants));
}

#[test]
fn the_extension_names_its_files() {
    let package: serde_json::Value =
        serde_json::from_str(include_str!("../../editors/package.json")).expect("JSON");
    let contributes = &package["contributes"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors");
    for path in [&contributes["grammars"][0]["path"], &contributes["languages"][0]["configuration"]] {
        let text = std::fs::read_to_string(folder.join(path.as_str().expect("a path"))).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }
    assert_eq!(contributes["grammars"][0]["scopeName"], grammar().scope_name());
    assert_eq!(contributes["languages"][0]["extensions"][0], ".csn");
}
