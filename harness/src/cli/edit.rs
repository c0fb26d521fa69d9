//! What `add` and `remove` share: where the text comes from, where it goes, and what is said about it.

use super::exit::Exit;
use super::load;
use super::render::{self, Style};
use super::replace::replace;
use csn::edit::{Change, Edited, Refused};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where an edited file goes.
#[derive(clap::Args)]
pub struct Output {
    /// Where to write instead of FILE; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// JSON Lines: a line per statement added or removed, or per finding
    #[arg(long)]
    json: bool,
}

/// A statement that came or went: `{"change":"added","file":"x.csn","line":7,"statement":"addrule: …;"}`.
#[derive(Serialize)]
struct ChangeLine<'a> {
    change: &'a str,
    file: &'a str,
    line: usize,
    statement: &'a str,
}

/// Reads a file, makes one edit after the other, and writes what comes of all of them: all are made or none.
pub fn edit<E>(
    file: &Path,
    to: &Output,
    edits: &[E],
    make: impl Fn(&str, &E) -> Result<Edited, Refused>,
) -> Result<Exit, Exit> {
    let to_stdout = match &to.output {
        Some(path) => path == Path::new("-"),
        None => file == Path::new("-"),
    };
    if to_stdout && to.json {
        eprintln!(
            "csnbench: --json and the edited file cannot both go to standard output; write the file with -o"
        );
        return Err(Exit::Usage);
    }
    let style = if to.json { Style::Json } else { Style::Text };
    let old = load::read(file)?;
    let mut text = old;
    let mut made = Vec::new();
    for e in edits {
        let edited = make(&text, e).map_err(|refused| {
            render::show(&refused.sources, &refused.diagnostics, style);
            Exit::Input
        })?;
        text = edited.text.clone();
        made.push(edited);
    }
    match &to.output {
        _ if to_stdout => print!("{text}"),
        Some(path) if !path.exists() => std::fs::write(path, &text).map_err(|e| failed(path, &e))?,
        Some(path) => replace(path, &text).map_err(|e| failed(path, &e))?,
        None => replace(file, &text).map_err(|e| failed(file, &e))?,
    }
    for edited in &made {
        render::show(&edited.outcome.sources, &edited.news, style);
        edited.changes.iter().for_each(|c| tell(file, c, to.json));
    }
    Ok(Exit::Done)
}

fn failed(path: &Path, e: &std::io::Error) -> Exit {
    eprintln!("csnbench: cannot write {}: {e}", path.display());
    Exit::Failed
}

fn tell(file: &Path, change: &Change, json: bool) {
    let what = if change.added { "added" } else { "removed" };
    let name = file.display().to_string();
    if json {
        let line = ChangeLine { change: what, file: &name, line: change.line, statement: &change.statement };
        println!("{}", serde_json::to_string(&line).expect("text and numbers are always JSON"));
    } else {
        let words: Vec<&str> = change.statement.split_whitespace().collect();
        eprintln!("{name}:{}: {what} `{}`", change.line, words.join(" "));
    }
}
