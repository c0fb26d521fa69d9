//! Maps of tags for pmacctd, the meter of the pmacct project (`pre_tag_map`).
//!
//! A rule is a line, `set_tag=CLASS filter='EXPRESSION'`, with a filter expression as of the back end `tcpdump`. pmacctd
//! tries the lines in order and takes the tag of the first that matches, so first match wins there too; packets that
//! none matches have tag 0. To load and to read:
//!
//! ```text
//! pre_tag_map: rules.map
//! maps_entries: 2000       more than there are lines: 384 without it, and the rest is cut off in silence
//! maps_row_len: 65536      more than the longest line has characters: longer lines are left out
//! plugins: print[a]
//! aggregate[a]: tag
//! ```
//!
//! pmacctd accounts IP only, and what expressions cannot say is lost as for `tcpdump`.

use super::alternatives::{Alternative, alternatives};
use super::{Backend, Emitted, Loss, Options, Outside, tcpdump};
use crate::frame_kind::FrameKind;
use crate::ruleset::{ClassId, RuleSet};
use std::fmt::Write;

/// The back end `pmacct`.
pub struct Pmacct;

/// Lines that pmacctd takes without `maps_entries`.
const USUAL_LINES: usize = 384;
/// Characters of a line that it takes without `maps_row_len`.
const USUAL_LINE: usize = 256;

impl Backend for Pmacct {
    fn name(&self) -> &'static str {
        "pmacct"
    }

    fn summary(&self) -> &'static str {
        "pre_tag_map of pmacctd: a filter expression and a tag for each rule"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.pmacct")
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let mut losses: Vec<Loss> = Vec::new();
        let mut kept: Vec<Alternative> = Vec::new();
        for a in alternatives(rules) {
            match tcpdump::inexpressible(&a, options) {
                None => kept.push(a),
                Some(_) if losses.last().is_some_and(|l| l.rule == a.rule) => (),
                Some(reason) => losses.push(Loss { rule: a.rule, reason: format!("left out: {reason}") }),
            }
        }
        // a rule is kept whole or not at all
        kept.retain(|a| losses.binary_search_by_key(&a.rule, |l| l.rule).is_err());
        let lines: Vec<String> = kept.chunk_by(|a, b| a.rule == b.rule).map(line).collect();
        let mut outside = tcpdump::outside(&kept);
        outside.push(Outside { kind: FrameKind::NoIp, reason: "pmacctd accounts IP only" });
        Emitted {
            artefact: artefact(&lines),
            labels: (0..rules.classes.len() as u32).map(|n| (n.to_string(), ClassId(n))).collect(),
            entries: lines.len(),
            notes: settings(&lines),
            losses,
            outside,
            ..Emitted::default()
        }
    }
}

/// All alternatives of a rule.
fn line(alternatives: &[Alternative]) -> String {
    let class = alternatives.first().map_or(0, |a| a.class.0);
    format!("set_tag={class} filter='{}'", tcpdump::expression(alternatives))
}

fn artefact(lines: &[String]) -> String {
    let mut out = String::from("! tag 0: no rule matches\n");
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// What pmacctd must be told so that it does not cut the map off.
fn settings(lines: &[String]) -> Vec<String> {
    let longest = lines.iter().map(String::len).max().unwrap_or(0);
    let mut out = Vec::new();
    if lines.len() + 1 > USUAL_LINES {
        out.push(format!("pmacctd must be told `maps_entries: {}`, or it cuts the map off", lines.len() + 1));
    }
    if longest + 2 > USUAL_LINE {
        out.push(format!(
            "pmacctd must be told `maps_row_len: {}`, or it leaves long lines out",
            longest + 2
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::example_rules;

    #[test]
    fn what_pmacctd_would_cut_off_is_said() {
        let mut rules = example_rules();
        assert_eq!(Pmacct.emit(&rules, &Options::default()).notes, Vec::<String>::new());
        let one = rules.rules[0].clone();
        rules.rules.extend(std::iter::repeat_n(one, 400));
        let notes = Pmacct.emit(&rules, &Options::default()).notes;
        assert!(notes.len() == 1 && notes[0].contains("maps_entries: 403"), "{notes:?}");
    }

    #[test]
    fn a_rule_that_is_lost_in_one_direction_is_lost() {
        let text =
            "set: class = 1;\naddrule: srcip = 10.0.0.1, interface = 3, both;\naddrule: proto = udp;\n";
        let rules = crate::compile("t.csn", text, &mut crate::NoLoader).scenario.rules;
        let made = Pmacct.emit(&rules, &Options::default());
        assert_eq!(made.losses.iter().map(|l| l.rule).collect::<Vec<_>>(), [0]);
        assert_eq!(made.entries, 1);
    }
}
