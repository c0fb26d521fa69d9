//! The ledger as a picture: a band of packets from what was offered to what was counted, as wide as they are many, from
//! which each stage takes its part away.

use crate::record::Ledger;
use crate::summary::Summary;
use crate::text::{count, escape, percent};

/// Units of the picture.
const WIDTH: f64 = 900.0;
const BAND: f64 = 56.0;
const HEIGHT: f64 = 150.0;
/// Where the band begins and ends, between the labels.
const FROM: f64 = 120.0;
const TO: f64 = WIDTH - 130.0;
/// A part is at least as wide as can be seen.
const LEAST: f64 = 1.5;

/// A picture for each curve, over the valid trials of all its points.
pub(super) fn flows(s: &Summary) -> String {
    let several = s.series.len() > 1;
    s.series
        .iter()
        .map(|series| {
            let mut sum = Ledger::default();
            series.points.iter().for_each(|p| sum += s.points[*p].ledger);
            if sum.offered == 0 {
                return String::new();
            }
            let title = if several { format!("<h3>{}</h3>\n", escape(&series.label)) } else { String::new() };
            format!("<div class=\"flow\">\n{title}{}</div>\n", picture(&sum))
        })
        .collect()
}

fn picture(ledger: &Ledger) -> String {
    let [offered, parts @ .., counted] = ledger.stages();
    let total = offered.2 as f64;
    let taken: Vec<_> = parts.into_iter().filter(|(_, _, packets)| *packets > 0).collect();
    let step = (TO - FROM) / (taken.len() + 1) as f64;
    let (top, mut inside) = (14.0, String::new());
    let wide = |packets: f64| if packets > 0.0 { (packets / total * BAND).max(LEAST) } else { 0.0 };
    let mut left = total;
    for (i, (name, how, packets)) in taken.iter().enumerate() {
        let (x, before) = (FROM + step * i as f64, wide(left));
        left -= *packets as f64;
        let (after, part, end) = (wide(left), wide(*packets as f64), x + step);
        inside += &rectangle("kept", x, top, step, after);
        // the part bends down behind the stage
        let class = if *how == "on purpose" { "design" } else { "lost" };
        let (low, turn) = (top + before.max(after + part), end - part.max(8.0));
        inside += &format!(
            "<path class=\"{class}\" d=\"M{x:.1} {:.1} H{turn:.1} V{:.1} H{:.1} V{low:.1} H{x:.1} Z\"/>\n",
            top + after,
            BAND + 38.0,
            turn + part,
        );
        let share = percent(*packets as f64 / total);
        inside += &text(turn, BAND + 54.0, "start", "", &format!("{name} {}", count(*packets)));
        inside += &text(turn, BAND + 70.0, "start", "small", &format!("{share} {how}"));
    }
    let rest = wide(left);
    inside += &rectangle(
        "kept",
        FROM + step * taken.len() as f64,
        top,
        TO - FROM - step * taken.len() as f64,
        rest,
    );
    inside += &text(FROM - 10.0, top + 18.0, "end", "", "offered");
    inside += &text(FROM - 10.0, top + 35.0, "end", "small", &count(offered.2));
    inside += &text(TO + 10.0, top + 18.0, "start", "", counted.0);
    inside += &text(TO + 10.0, top + 35.0, "start", "small", &count(counted.2));
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} packets offered, {} counted\">\n{inside}</svg>\n",
        count(offered.2),
        count(counted.2)
    )
}

fn rectangle(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n"
    )
}

fn text(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
        escape(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_that_takes_packets_is_there_and_no_other() {
        let ledger = Ledger { offered: 1000, socket: 1, filtered: 400, counted: 599, ..Ledger::default() };
        let shown = picture(&ledger);
        assert_eq!(
            (shown.matches("class=\"lost\"").count(), shown.matches("class=\"design\"").count()),
            (1, 1)
        );
        assert!(shown.contains("socket 1<") && shown.contains("filtered 400<") && !shown.contains("refused"));
        // one in a thousand can still be seen
        assert!(shown.contains("counted") && !shown.contains("height=\"0.0\""), "{shown}");
    }
}
