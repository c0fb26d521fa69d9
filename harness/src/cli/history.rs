//! `csnbench history`: many runs over time, and where they changed.

use super::exit::Exit;
use harness::history::{Entry, History, HistoryError};
use reports::stats::{Stretch, stretches};
use reports::summary::{Metric, Summary};
use reports::text;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `history`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench history bench.db add results/after --label \"$(git rev-parse --short HEAD)\"
  csnbench history bench.db list
  csnbench history bench.db show 'number of rules'
  csnbench compare bench.db results/after --gate")]
pub struct Args {
    /// The database; `add` makes it where there is none
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Add runs by their folders
    Add {
        /// Folders that `csnbench run` has written
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// What you call this state: a commit, a version
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List the runs, oldest first
    List {
        /// JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Show how a scenario's points went over time, and where they changed
    Show {
        /// Title of the scenario, as `list` shows it
        title: String,
        /// What to show; see the names in `report --to csv`
        #[arg(long, default_value = Metric::TotalNs.name())]
        metric: String,
        /// JSON Lines
        #[arg(long)]
        json: bool,
    },
}

/// Adds, lists or shows.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    match &args.what {
        What::Add { folders, label } => add(&args.file, folders, label),
        What::List { json } => list(&args.file, *json),
        What::Show { title, metric, json } => show(&args.file, title, metric, *json),
    }
}

/// Says what went wrong.
pub fn told(e: HistoryError) -> Exit {
    eprintln!("csnbench: {e}");
    match e {
        HistoryError::Records { .. } => Exit::Input,
        _ => Exit::Failed,
    }
}

fn add(file: &Path, folders: &[PathBuf], label: &str) -> Result<Exit, Exit> {
    let mut history = History::open(file, true).map_err(told)?;
    for folder in folders {
        let (id, new) = history.add(folder, label).map_err(told)?;
        let how = if new { "added as" } else { "is there already as" };
        eprintln!("{}: {how} run {id}", folder.display());
    }
    Ok(Exit::Done)
}

fn list(file: &Path, json: bool) -> Result<Exit, Exit> {
    let entries = History::open(file, false).and_then(|h| h.entries(None)).map_err(told)?;
    for e in entries {
        if json {
            let line = serde_json::json!({"run": e.id, "time": e.time, "title": e.title, "label": e.label,
                "host": e.host, "tool": e.tool, "verdict": e.verdict});
            println!("{line}");
        } else {
            println!(
                "{:>4}  {}  {:<17}  {:<12}  {}  ({})",
                e.id,
                text::time(e.time),
                e.verdict,
                e.label,
                e.title,
                e.host
            );
        }
    }
    Ok(Exit::Done)
}

/// What a point showed in each run that had it.
type Line = Vec<(Entry, f64)>;

fn show(file: &Path, title: &str, metric: &str, json: bool) -> Result<Exit, Exit> {
    let Some(metric) = Metric::ALL.into_iter().find(|m| m.name() == metric) else {
        let names: Vec<_> = Metric::ALL.iter().map(|m| m.name()).collect();
        eprintln!("csnbench: no metric `{metric}`; there are: {}", names.join(", "));
        return Err(Exit::Usage);
    };
    let history = History::open(file, false).map_err(told)?;
    let entries = history.entries(Some(title)).map_err(told)?;
    if entries.is_empty() {
        eprintln!(
            "csnbench: no run is called {title:?}; `csnbench history {} list` shows the titles",
            file.display()
        );
        return Err(Exit::Usage);
    }
    // a machine, rules and traffic of their own are a line of their own: other numbers can't be compared
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for entry in entries {
        let stored = history.stored(entry.id).map_err(told)?;
        let summary = Summary::of(&stored);
        let kind =
            format!("{} rules {} traffic {}", entry.host, stored.run.rules_hash, stored.run.traffic_hash);
        for point in summary.points.iter().filter(|p| p.usable()) {
            if let Some(value) = point.median(metric) {
                lines.entry((kind.clone(), summary.name(point))).or_default().push((entry.clone(), value));
            }
        }
    }
    let mut out = std::io::stdout().lock();
    let mut kind = "";
    for ((of, point), line) in &lines {
        if of != kind && !json {
            let _ = writeln!(out, "on {of}");
            kind = of;
        }
        let found = stretches(&line.iter().map(|(_, v)| *v).collect::<Vec<_>>());
        let _ = if json {
            object(&mut out, of, point, metric, line, &found)
        } else {
            tell(&mut out, point, metric, line, &found)
        };
    }
    Ok(Exit::Done)
}

fn object(
    out: &mut dyn Write,
    of: &str,
    point: &str,
    metric: Metric,
    line: &Line,
    found: &[Stretch],
) -> std::io::Result<()> {
    let values: Vec<_> = line
        .iter()
        .map(|(e, v)| serde_json::json!({"run": e.id, "label": e.label, "time": e.time, "value": v}))
        .collect();
    let changes: Vec<_> = found.iter().skip(1).map(|s| line[s.values.start].0.id).collect();
    let object = serde_json::json!({"on": of, "point": point, "metric": metric.name(), "values": values, "changed_at": changes});
    writeln!(out, "{object}")
}

fn tell(
    out: &mut dyn Write,
    point: &str,
    metric: Metric,
    line: &Line,
    found: &[Stretch],
) -> std::io::Result<()> {
    let values: Vec<f64> = line.iter().map(|(_, v)| *v).collect();
    let show = |v: f64| metric.unit().show(v);
    writeln!(out, "  {point:<32} {:>12}  {}", show(*values.last().unwrap_or(&0.0)), spark(&values))?;
    for pair in found.windows(2) {
        let (entry, _) = &line[pair[1].values.start];
        let by = if pair[0].mean > 0.0 {
            format!(" ({:+.1} %)", (pair[1].mean / pair[0].mean - 1.0) * 100.0)
        } else {
            String::new()
        };
        let label = if entry.label.is_empty() { format!("run {}", entry.id) } else { entry.label.clone() };
        writeln!(
            out,
            "    changed at {label} of {}: {} to {}{by}",
            text::time(entry.time),
            show(pair[0].mean),
            show(pair[1].mean)
        )?;
    }
    Ok(())
}

/// The last values as a line of blocks, from the smallest to the largest.
fn spark(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const LONGEST: usize = 40;
    let values = &values[values.len().saturating_sub(LONGEST)..];
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let place = |v: f64| if high > low { ((v - low) / (high - low) * 7.0).round() as usize } else { 0 };
    values.iter().map(|v| BLOCKS[place(*v).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_spark_line_goes_from_the_smallest_to_the_largest() {
        assert_eq!(super::spark(&[1.0, 2.0, 1.5]), "▁█▅");
        assert_eq!(super::spark(&[3.0, 3.0]), "▁▁");
        assert_eq!(super::spark(&[0.0; 99]).chars().count(), 40);
    }
}
