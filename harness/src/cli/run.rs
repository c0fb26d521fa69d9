//! `csnbench run`: the scenario, measured and reported.

use super::exit::Exit;
use super::{load, report};
use csn::Outcome;
use harness::lab::LabOptions;
use harness::run::{Event, Observer, RunOptions};
use reports::record::Record;
use reports::summary::Verdict;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where runs go when nothing else is said.
const RESULTS: &str = "csnbench-results";

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench run scenarios/paper/number-of-rules.csn
  csnbench run scenarios/paper/*.csn --quick -o results
  csnbench run scenarios/paper/number-of-rules.csn --resume

DIR holds records.jsonl (every trial, raw), report.html, the plots, summary.md, trials.csv and junit.xml.")]
pub struct Args {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder of the results, one below it per file where there are several [default: csnbench-results/NAME]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Only this meter, by name or as the scenario writes it; may be repeated
    #[arg(long = "meter", value_name = "M")]
    meters: Vec<String>,
    /// What sends packets: auto, packet, xdp or live (`csnbench list transmitters`)
    #[arg(long, value_name = "NAME", default_value = "packet", value_parser = transmitters())]
    transmitter: String,
    /// Fewer and shorter trials: to see whether all works, not to believe the numbers
    #[arg(long)]
    quick: bool,
    /// Go on with a run that was interrupted: the newest one of the scenario, or that in DIR
    #[arg(long)]
    resume: bool,
    /// JSON Lines: each record on standard output as it is made
    #[arg(long)]
    json: bool,
}

/// The transmitters that send to an interface.
fn transmitters() -> clap::builder::PossibleValuesParser {
    let to_interfaces = generator::tx::TABLE.iter().filter(|e| e.needs == generator::tx::Needs::Interface);
    to_interfaces.map(|e| e.name).collect::<Vec<_>>().into()
}

/// Runs all files; the worst exit code counts.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    // nothing is measured before every file is known to be in order
    let mut scenarios = Vec::new();
    let mut wrong = None;
    for file in &args.files {
        match load::executable(file) {
            Ok(outcome) => scenarios.push((file, outcome)),
            Err(exit) => wrong = Some(exit),
        }
    }
    if let Some(exit) = wrong {
        return Err(exit);
    }
    let mut code = 0;
    for (file, outcome) in &scenarios {
        let folder = folder(args, file, scenarios.len() > 1);
        let (this, interrupted) = one(args, file, outcome, &folder)?;
        code = code.max(this);
        if interrupted {
            break;
        }
    }
    Ok(exit(code))
}

/// The exit code of a run as the command line's.
fn exit(code: u8) -> Exit {
    [Exit::Done, Exit::Usage, Exit::Input, Exit::Nothing, Exit::Expectation, Exit::Invalid]
        .into_iter()
        .find(|e| *e as u8 == code)
        .unwrap_or(Exit::Failed)
}

/// The folder of a file's results.
fn folder(args: &Args, file: &Path, several: bool) -> PathBuf {
    let stem = file.file_stem().map_or_else(|| "scenario".into(), |s| s.to_string_lossy().into_owned());
    match &args.output {
        Some(dir) if several => dir.join(stem),
        Some(dir) => dir.clone(),
        None => unused(Path::new(RESULTS), &stem, args.resume),
    }
}

/// `base/stem`, `base/stem-2`, …: the first that does not exist, or the last that does.
fn unused(base: &Path, stem: &str, last: bool) -> PathBuf {
    let name = |n: u32| base.join(if n == 1 { stem.to_owned() } else { format!("{stem}-{n}") });
    let mut n = 1;
    while name(n).exists() {
        n += 1;
    }
    name(if last && n > 1 { n - 1 } else { n })
}

/// Runs one file and reports. The exit code, and whether the user stopped it.
fn one(args: &Args, file: &Path, outcome: &Outcome, folder: &Path) -> Result<(u8, bool), Exit> {
    let options = RunOptions {
        scenario: file.to_owned(),
        text: text(outcome),
        command: command(args, file),
        out: folder.to_owned(),
        quick: args.quick,
        resume: args.resume,
        meters: args.meters.clone(),
        lab: LabOptions { transmitter: args.transmitter.clone(), ..LabOptions::default() },
    };
    let mut observer = Tee { shown: harness::progress::observer(), json: args.json };
    let ran = match harness::run::run(&outcome.scenario, &options, &mut observer) {
        Ok(ran) => ran,
        Err(e) => {
            eprintln!("csnbench: {e}");
            return Err(exit(e.exit_code()));
        }
    };
    let summary = report::summary(folder)?;
    report::write_all(&summary, folder)?;
    report::tell_ci(&summary)?;
    if !args.json {
        report::print(&summary, "terminal")?;
    }
    let page = folder.join("report.html");
    eprintln!("\nreport: {}", page.display());
    if ran.interrupted {
        eprintln!("stopped; go on with: csnbench run {} --resume -o {}", file.display(), folder.display());
    }
    let code = match (ran.exit_code(), summary.verdict) {
        (0, Verdict::Holds) => Exit::Done as u8,
        (0, Verdict::ExpectationFails) => Exit::Expectation as u8,
        (0, Verdict::Invalid) => Exit::Invalid as u8,
        (0, Verdict::Nothing) => Exit::Nothing as u8,
        (code, _) => code,
    };
    Ok((code, ran.interrupted))
}

/// The text of a scenario with what it includes behind it, each under its name.
fn text(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (file, name, text) in outcome.sources.iter() {
        if file.0 > 0 {
            out.push_str(&format!("\n# ---- included: {name}\n"));
        }
        out.push_str(text);
    }
    out
}

/// The command line that repeats a run.
fn command(args: &Args, file: &Path) -> String {
    let mut out = format!("csnbench run {}", file.display());
    for meter in &args.meters {
        out.push_str(&format!(" --meter '{meter}'"));
    }
    if args.transmitter != "packet" {
        out.push_str(&format!(" --transmitter {}", args.transmitter));
    }
    if args.quick {
        out.push_str(" --quick");
    }
    out
}

/// Shows progress, and prints records for programs.
struct Tee {
    shown: Box<dyn Observer>,
    json: bool,
}

impl Observer for Tee {
    fn event(&mut self, event: &Event<'_>) {
        self.shown.event(event);
        if !self.json {
            return;
        }
        let record = match event {
            Event::Measured { trial, .. } => Record::Trial(Box::new((*trial).clone())),
            Event::Found(search) => Record::Search(Box::new((*search).clone())),
            _ => return,
        };
        if let Ok(line) = serde_json::to_string(&record) {
            // a reader that is gone is no reason to stop measuring: all is on disk
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_never_writes_over_another_and_resumes_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        assert!(unused(dir.path(), "a", true).ends_with("a"));
        for name in ["a", "a-2"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        assert!(unused(dir.path(), "a", false).ends_with("a-3"));
        assert!(unused(dir.path(), "a", true).ends_with("a-2"));
    }
}
