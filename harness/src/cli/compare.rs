//! `csnbench compare`: two runs side by side, and a verdict for CI.

use super::exit::Exit;
use super::history::told;
use super::report;
use harness::history::History;
use reports::compare::{self, Comparison, Criteria, Verdict};
use reports::store::Stored;
use reports::summary::Summary;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `compare`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench compare results/before results/after
  csnbench compare results/before results/after --html comparison.html
  csnbench compare results/before results/after --gate --confirm results/again

A change is claimed where its interval excludes no change, where a rank test finds it among all the points, and where it
is larger than what a run shows between its own trials. It is a regression where the whole interval lies beyond the
threshold and the cost rose by more than the floor.

Exit codes with --gate: 0 no regression, 100 a regression, 101 the new run is invalid, 102 no usable baseline.")]
pub struct Args {
    /// The run before, as `csnbench run` has written it; or a history, whose newest runs like NEW are taken together
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// The run after
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// End with 100 for a regression, 101 for an invalid run, 102 without a usable baseline
    #[arg(long)]
    gate: bool,
    /// A second run after the change, which must show a regression as well
    #[arg(long, value_name = "DIR")]
    confirm: Option<PathBuf>,
    /// A cost may rise by this much
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = share)]
    threshold: f64,
    /// A cost may rise by so many nanoseconds per packet, whatever share that is
    #[arg(long, value_name = "NS", default_value_t = Criteria::default().floor_ns)]
    floor: f64,
    /// Show runs of different hosts or labs side by side; never a gate
    #[arg(long)]
    across: bool,
    /// Show every point, also those without a difference
    #[arg(long)]
    all: bool,
    /// One JSON object on standard output
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Markdown on standard output, for a job's summary or a comment
    #[arg(long)]
    markdown: bool,
    /// Write a self-contained page as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A share written in percent.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let percent: f64 =
        number.parse().map_err(|_| format!("{text:?} is no percentage; write for instance 5%"))?;
    if percent.is_finite() && percent >= 0.0 {
        Ok(percent / 100.0)
    } else {
        Err("it can't be below 0 %".into())
    }
}

/// Compares two runs.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let new = report::summary(&args.new)?;
    // without a file there is no baseline either: the first run of a new branch
    let base = if args.base.is_file() { past(&args.base, &new) } else { report::summary(&args.base) };
    let base = base.map_err(|e| if args.gate { Exit::NoBaseline } else { e })?;
    let confirm = args.confirm.as_deref().map(report::summary).transpose()?;
    let criteria = Criteria { threshold: args.threshold, floor_ns: args.floor, across: args.across };
    let comparison = Comparison::of(&base, &new, confirm.as_ref(), criteria);
    let shown = show(args, &comparison);
    match shown {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("csnbench: {e}");
            return Err(Exit::Failed);
        }
        _ => {}
    }
    Ok(match (comparison.verdict, args.gate) {
        (Verdict::Regression, true) => Exit::Regression,
        (Verdict::Invalid, true) => Exit::Invalid,
        (Verdict::NoBaseline, true) => Exit::NoBaseline,
        // side by side is what was asked for
        (Verdict::NoBaseline, false) if comparison.cells.is_empty() => Exit::Input,
        _ => Exit::Done,
    })
}

/// So many runs of a history are a baseline together: enough to hold what differs from day to day, few enough to be what
/// was true lately.
const RECENT: usize = 5;

/// The newest runs of a history that `new` can be compared with, taken together.
fn past(file: &Path, new: &Summary) -> Result<Summary, Exit> {
    let history = History::open(file, false).map_err(told)?;
    let mut entries = history.entries(Some(new.title())).map_err(told)?;
    entries.reverse();
    let (mut together, mut count, mut why) = (None::<Stored>, 0, None);
    for entry in entries {
        let stored = history.stored(entry.id).map_err(told)?;
        let summary = Summary::of(&stored);
        if summary.trials == new.trials {
            continue;
        }
        match compare::refusals(&summary, new).into_iter().next() {
            Some(refusal) => why = why.or(Some(format!("run {}: {}", entry.id, refusal.reason))),
            None => {
                count += 1;
                match &mut together {
                    Some(together) => together.join(stored),
                    None => together = Some(stored),
                }
            }
        }
        if count == RECENT {
            break;
        }
    }
    let Some(stored) = together else {
        let why = why.unwrap_or_else(|| "no run of it has this title".into());
        eprintln!("csnbench: {} holds nothing to compare {:?} with: {why}", file.display(), new.title());
        return Err(Exit::Input);
    };
    eprintln!("baseline: {count} of the newest runs in {}", file.display());
    Ok(Summary::of(&stored))
}

fn show(args: &Args, comparison: &Comparison) -> std::io::Result<()> {
    if let Some(path) = &args.html {
        let mut file = std::fs::File::create(path)
            .map_err(|e| std::io::Error::new(e.kind(), format!("cannot write {}: {e}", path.display())))?;
        compare::page(comparison, &mut file)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, comparison)?;
        writeln!(out)?;
    } else if args.markdown {
        compare::markdown(comparison, &mut out)?;
    } else {
        compare::text(comparison, args.all, &mut out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_share_is_written_in_percent() {
        assert_eq!(super::share("5%"), Ok(0.05));
        assert_eq!(super::share("7.5 %"), Ok(0.075));
        assert!(super::share("-1%").is_err() && super::share("much").is_err());
    }
}
