//! `csnbench`: the command line. What the verbs do lives in the library and in the other crates; here are their
//! arguments, their output and their exit codes.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
