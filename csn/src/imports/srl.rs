//! Programs in SRL (RFC 2723): compiled as an RTFM manager does, then read path by path.

use super::{Builder, Import, Imported, paths};
use crate::srl;

/// The import `srl`.
pub struct Srl;

impl Import for Srl {
    fn name(&self) -> &'static str {
        "srl"
    }

    fn summary(&self) -> &'static str {
        "programs in the Simple Ruleset Language of RTFM managers (RFC 2723)"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.srl")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        let compiled = srl::compile(text);
        let failed = !compiled.diagnostics.is_empty();
        for d in compiled.diagnostics {
            out.malformed(d.span, d.message, d.cure);
        }
        // the rest of a program with errors means something else than the whole
        if failed { out.finish() } else { paths::rules(&compiled.program, &compiled.places, out) }
    }
}
