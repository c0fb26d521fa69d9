//! Writes the records of a simulated run and every report of them, to look at without a lab:
//! `cargo run -p reports --example simulate -- FOLDER [number-of-rules | worst-case | filter | meters]`.

#[path = "../tests/simulator/mod.rs"]
mod simulator;

use reports::{formats, store::Stored, summary::Summary};
use simulator::Test;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let (test, repeat) = match arguments.next().as_deref() {
        None | Some("number-of-rules") => (Test::NumberOfRules, 7),
        Some("worst-case") => (Test::WorstCase, 7),
        Some("filter") => (Test::Filter, 9),
        Some("meters") => (Test::Meters, 5),
        Some(other) => return Err(format!("no simulated run is called `{other}`").into()),
    };
    let lines = simulator::lines(&simulator::records(test, repeat, 1));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("records.jsonl"), &lines)?;
    let summary = Summary::of(&Stored::read(lines.as_bytes())?);
    formats::render_all(&summary, &mut |file, bytes| std::fs::write(folder.join(file), bytes))?;
    print!("{}", std::fs::read_to_string(folder.join("summary.txt"))?);
    Ok(())
}
