//! Completions, manual pages and the pages of diagnostics, held against the programs that read them.

use std::process::{Command, Output};

fn csnbench(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_csnbench")).args(words).output().unwrap()
}

fn printed(words: &[&str]) -> String {
    let out = csnbench(words);
    assert_eq!(out.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Whether a program is there; says so if not.
fn has(program: &str, package: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|p| p.join(program).is_file()));
    if !found {
        println!("skipped: {program} is not installed (apt-get install {package})");
    }
    found
}

#[test]
fn shells_accept_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let file = folder.path().join(shell);
        let script = printed(&["completions", shell]);
        assert!(!script.contains("worker"), "{shell} completes what is not for people");
        std::fs::write(&file, script).unwrap();
        if has(shell, shell) {
            let out = Command::new(shell).arg("-n").arg(&file).output().unwrap();
            assert!(out.status.success(), "{shell}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
}

#[test]
fn bash_completes_verbs_and_names_from_the_tables() {
    if !has("bash", "bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("csnbench");
    std::fs::write(&file, printed(&["completions", "bash"])).unwrap();
    let complete = |words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|w| format!("'{w}'")).collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let script = format!(
            "source '{}'\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_csnbench csnbench '{last}' '{before}'\necho \"${{COMPREPLY[@]}}\"",
            file.display(),
            quoted.join(" "),
            words.len() - 1,
        );
        let out = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete(&["csnbench", "expl"]), "explain");
    assert_eq!(complete(&["csnbench", "list", "cod"]), "codes");
    assert_eq!(complete(&["csnbench", "compile", "x.csn", "--to", "tcpd"]), "tcpdump");
}

#[test]
fn manual_pages_are_set_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("man1");
    printed(&["man", "-o", target.to_str().unwrap()]);
    let pages: Vec<_> = std::fs::read_dir(&target).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(pages.len() > 12, "{pages:?}");
    assert!(pages.iter().all(|p| p.extension().is_some_and(|e| e == "1")), "{pages:?}");
    assert_eq!(csnbench(&["man", "-o", "/proc/none"]).status.code(), Some(1));
    if !has("groff", "groff") {
        return;
    }
    for page in &pages {
        let out = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(page).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
    let text = std::fs::read_to_string(target.join("csnbench-add.1")).unwrap();
    assert!(text.contains("csnbench\\-add") && text.contains("\\-\\-class"), "{text}");
}

#[test]
fn codes_have_their_pages_and_unknown_ones_lead_to_those_spelt_alike() {
    let page = printed(&["explain", "e012"]);
    for part in
        ["E012 (error)", "What:", "Why:", "Cure:", "dstport < 1024", "error[E012]: `<` cannot be used here"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let out = csnbench(&["explain", "E105"]);
    assert_eq!(out.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&out.stderr).contains("L105  a name that nothing uses"));
    assert_eq!(csnbench(&["explain", "voice.csn"]).status.code(), Some(64));
    let list = printed(&["explain"]);
    let table = printed(&["list", "codes"]);
    for code in csn::CODES {
        assert!(list.contains(code.code) && table.contains(code.code), "{}", code.code);
    }
}

#[test]
fn of_a_thousand_rules_a_packet_is_shown_the_closest_or_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csn");
    let text = "set: class = 1..1000;\naddrule: proto = udp, dstport = each 1001..2000;\nset: class = 2000, name = \"rest\";\naddrule: proto = udp;\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let packet = ["explain", file, "--packet", "srcip = 10.0.0.1, proto = udp, dstport = 53"];
    let short = printed(&packet);
    assert!(short.lines().count() < 15, "{short}");
    assert!(
        short.contains("rules 1 to 1000 fail on dstport") && short.contains("class rest by rule 1001"),
        "{short}"
    );
    assert!(short.trim_end().ends_with("x.csn:4: addrule: proto = udp;"), "{short}");
    let all = printed(&[&packet[..], &["--all"]].concat());
    assert_eq!(all.lines().count(), 1003, "a line a rule, the verdict, the place");
}
