//! The program `csnbench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(verb) if verb == "worker" => harness::worker::worker(args),
        _ => ExitCode::from(64),
    }
}
