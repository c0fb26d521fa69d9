//! What a run shows while it goes: a bar on a terminal, a line per step elsewhere. Both on standard error.

use crate::run::{Event, Observer, Outcome, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::record::{Search, Skip, Trial};
use std::io::{IsTerminal, Write};

/// The observer that suits standard error.
pub fn observer() -> Box<dyn Observer> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines::new(std::io::stderr()))
    }
}

/// A line per step.
pub struct Lines<W: Write> {
    out: W,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Observer for Lines<W> {
    fn event(&mut self, event: &Event<'_>) {
        if let Some(text) = line(event) {
            // progress is no reason to fail
            let _ = writeln!(self.out, "{text}");
        }
    }
}

/// A progress bar with the running trial beside it, and a line for each that is done.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar }
    }
}

impl Observer for Bar {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Planned { trials, .. } => {
                self.bar.set_length(u64::from(*trials));
                if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {wide_msg}") {
                    self.bar.set_style(style);
                }
            }
            Event::WarmUp => self.bar.set_message("warming up"),
            Event::Started(step) => {
                // repetitions come on top of what was planned
                self.bar.set_length(self.bar.position() + u64::from(step.left) + 1);
                let retry = if step.retry { ", again" } else { "" };
                self.bar.set_message(format!("{}{retry}; {} left", step.point, duration(step.seconds_left)));
            }
            Event::Tick => self.bar.tick(),
            Event::Measured { .. } => self.bar.inc(1),
            Event::Ended(_) => self.bar.finish_and_clear(),
            Event::Note(_) | Event::Skipped(_) | Event::Found(_) => {}
        }
        if let Some(text) = line(event) {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }
}

/// What an event says in a line, where it says something.
fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Note(text) => text.clone(),
        Event::Skipped(skip) => skipped(skip),
        Event::Planned { trials, done, points, repeat, seconds, head } => {
            let mut text = format!(
                "{}: {points} points x {repeat} repeats, {trials} trials to run, about {}",
                head.title,
                duration(*seconds)
            );
            if *done > 0 {
                text.push_str(&format!("; {done} are on record"));
            }
            let doubts = head.host.warnings.iter().map(|w| format!("\nwarning: {w}"));
            let notes = head.lab.notes.iter().map(|n| format!("\nnote: {n}"));
            text.extend(doubts.chain(notes));
            text
        }
        Event::WarmUp | Event::Started(_) | Event::Tick => return None,
        Event::Measured { step, trial } => measured(step, trial),
        Event::Found(search) => found(search),
        Event::Ended(outcome) => ended(outcome),
    })
}

/// One trial in a line: `[3, 26 left] rtfm, rules 10: 100.0 kpps, loss 0 %, CPU 23.1 % (231 ns/packet)`.
fn measured(step: &Step, trial: &Trial) -> String {
    let head = format!("[{}, {} left] {}", step.index + 1, step.left, step.point);
    if trial.offered.accepted == 0 {
        return format!("{head}: INVALID: {}", trial.invalid.join("; "));
    }
    let offered = trial.ledger.offered.max(1) as f64;
    let loss = trial.ledger.lost() as f64 / offered * 100.0;
    let cpu = trial.cpu.total as f64;
    let mut text = format!(
        "{head}: {:.1} kpps, loss {}, CPU {:.1} % ({:.0} ns/packet), {} left",
        trial.offered.achieved_pps / 1000.0,
        if trial.ledger.lost() == 0 { "0".into() } else { format!("{loss:.3} %") },
        trial.share_of_core(trial.cpu.total).unwrap_or(0.0) * 100.0,
        cpu / offered,
        duration(step.seconds_left)
    );
    for reason in &trial.invalid {
        text.push_str(&format!("\n  INVALID: {reason}"));
    }
    for warning in &trial.warnings {
        text.push_str(&format!("\n  warning: {warning}"));
    }
    text
}

/// A search in a line per goal.
fn found(search: &Search) -> String {
    let mut at: Vec<String> =
        search.at.iter().filter(|(name, _)| *name != "meter").map(|(n, v)| format!("{n} {v}")).collect();
    at.insert(0, search.meter.clone());
    let mut text = format!(
        "{}: {} after {} trials in {}",
        at.join(", "),
        search.method,
        search.path.len(),
        duration(search.seconds)
    );
    let kpps = |pps: f64| format!("{:.1} kpps", pps / 1000.0);
    for goal in &search.goals {
        let bound = |pps: Option<f64>| pps.map_or("none".into(), kpps);
        text.push_str(&format!(
            "\n  loss <= {} %: {} (lost at {})",
            goal.loss * 100.0,
            bound(goal.lower),
            bound(goal.upper)
        ));
        text.extend(goal.irregular.iter().map(|why| format!("\n  irregular: {why}")));
    }
    if let Some(b) = &search.burst {
        let ms = |s: f64| format!("{:.3} ms", s * 1e3);
        text.push_str(&format!(
            "\n  burst of {} packets at {}: buffer {} (corrected {})",
            b.packets,
            kpps(b.pps),
            ms(b.implied),
            ms(b.corrected)
        ));
    }
    text.extend(search.invalid.iter().map(|why| format!("\n  INVALID: {why}")));
    text
}

/// A point or meter that is left out.
fn skipped(skip: &Skip) -> String {
    format!("skipped {}: {}\n  cure: {}", skip.what, skip.reason, skip.cure)
}

/// The end in words.
fn ended(outcome: &Outcome) -> String {
    let mut text = format!(
        "{}: {} valid and {} invalid trials in {}",
        if outcome.interrupted { "interrupted" } else { "done" },
        outcome.valid,
        outcome.invalid,
        outcome.folder.display()
    );
    if outcome.interrupted {
        return text + "; go on with --resume";
    }
    for point in &outcome.without_result {
        text.push_str(&format!("\nno valid trial: {point}"));
    }
    text
}

/// Seconds as a person says them.
fn duration(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    if s < 90 { format!("{s} s") } else { format!("{} min {} s", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{Cpu, Ledger, Offered};

    #[test]
    fn a_trial_is_told_in_a_line_and_its_faults_below() {
        let step = Step {
            index: 2,
            left: 26,
            point: "rtfm, rules 10".into(),
            repeat: 0,
            retry: false,
            seconds_left: 100.0,
        };
        let trial = Trial {
            offered: Offered { achieved_pps: 1e5, accepted: 1000, ..Offered::default() },
            ledger: Ledger { offered: 1000, socket: 5, ..Ledger::default() },
            cpu: Cpu { window: 10_000_000, total: 1_000_000, ..Cpu::default() },
            invalid: vec!["rate missed".into()],
            ..Trial::default()
        };
        let mut out = vec![];
        Lines::new(&mut out).event(&Event::Measured { step: &step, trial: &trial });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[3, 26 left] rtfm, rules 10: 100.0 kpps, loss 0.500 %, CPU 10.0 % (1000 ns/packet), 1 min 40 s \
             left\n  INVALID: rate missed\n"
        );
    }
}
