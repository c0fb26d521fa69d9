//! Any text goes through the whole front end; what it accepts survives formatting unchanged in meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let outcome = csn::compile("fuzz.csn", text, &mut csn::NoLoader);
    for d in &outcome.diagnostics {
        // every place lies within its file, on character boundaries
        let _ = outcome.sources.slice(d.span);
        d.related.iter().for_each(|l| {
            let _ = outcome.sources.slice(l.span);
        });
    }
    if let Ok(formatted) = csn::format(text) {
        assert_eq!(csn::format(&formatted).as_deref(), Ok(formatted.as_str()), "formatting is idempotent");
    }
    let _ = csn::parse_packet(text);
});
