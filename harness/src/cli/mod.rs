//! The verbs: a file each, with its arguments and what it prints.

mod add;
mod advise;
mod check;
mod codes;
mod collect;
mod compare;
mod compile;
mod completions;
mod doctor;
mod edit;
mod exit;
mod explain;
mod fmt;
mod generate;
mod help;
mod history;
mod import;
mod lines;
mod list;
mod load;
mod meter;
mod profile;
mod reader;
mod receive;
mod remove;
mod render;
mod replace;
mod report;
mod run;
mod signals;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// Measures IP traffic meters: one notation for their rules and for the traffic.
#[derive(Parser)]
#[command(name = "csnbench", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "First run:\n  csnbench run scenarios/paper/number-of-rules.csn\n\n\
The notation:\n  csnbench help csn\n\n\
Exit codes: 0 done, 1 failed, 64 wrong use, 65 input in error, 77 nothing could be run,\n\
99 an expectation does not hold, 100 a regression, 101 the measurement is invalid,\n102 no usable baseline")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show every mistake of scenario files, with place, reason and cure
    Check(check::Args),
    /// Bring scenario files into canonical layout
    Fmt(fmt::Args),
    /// Add a rule to a class, or a class with its first rule, and leave the rest of the file as it is
    Add(add::Args),
    /// Remove a class or a rule, and leave the rest of the file as it is
    Remove(remove::Args),
    /// Say which rule a packet matches and why not the earlier ones, or what a diagnostic means
    Explain(explain::Args),
    /// Compile the rules to what a meter loads
    Compile(compile::Args),
    /// Take over a rule set of another format
    Import(import::Args),
    /// Make the packets of a scenario, into a capture or onto an interface
    Generate(generate::Args),
    /// Say what a capture's traffic is like, as a scenario
    Profile(profile::Args),
    /// Tell loss, order, duplicates and latency from signed packets
    Receive(receive::Args),
    /// Run one built-in meter by itself
    Meter(meter::Args),
    /// Collect what flow meters export: NetFlow v5 and v9, IPFIX
    Collect(collect::Args),
    /// Collect flow data from an RTFM meter that runs
    Reader(reader::Args),
    /// Measure: run scenarios and report
    Run(run::Args),
    /// Render stored records again
    Report(report::Args),
    /// Compare two runs: what became slower or faster, and whether that may stop a change
    Compare(compare::Args),
    /// Keep runs over time, and show where they changed
    History(history::Args),
    /// Say what this machine can do, what is missing, and what would install it
    Doctor(doctor::Args),
    /// List meters, back ends, imports, distributions, transmitters, attributes of flows, report formats or codes of
    /// diagnostics
    List(list::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Write the manual pages, one per verb
    Man(completions::ManArgs),
    /// Processes that a run starts
    #[command(hide = true, disable_help_flag = true)]
    Worker {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Runs the verb that the command line names.
pub fn main() -> ExitCode {
    if let Some(page) = help::topic(std::env::args_os()) {
        signals::end_with_the_reader();
        print!("{page}");
        return Exit::Done.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    if !matches!(cli.verb, Verb::Run(_) | Verb::Worker { .. }) {
        signals::end_with_the_reader();
    }
    let result = match &cli.verb {
        Verb::Check(args) => check::run(args),
        Verb::Fmt(args) => fmt::run(args),
        Verb::Add(args) => add::run(args),
        Verb::Remove(args) => remove::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Compile(args) => compile::run(args),
        Verb::Import(args) => import::run(args),
        Verb::Generate(args) => generate::run(args),
        Verb::Profile(args) => profile::run(args),
        Verb::Receive(args) => receive::run(args),
        Verb::Meter(args) => meter::run(args),
        Verb::Collect(args) => collect::run(args),
        Verb::Reader(args) => reader::run(args),
        Verb::Run(args) => run::run(args),
        Verb::Report(args) => report::run(args),
        Verb::Compare(args) => compare::run(args),
        Verb::History(args) => history::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::List(args) => list::run(args),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => completions::man(args),
        Verb::Worker { args } => return harness::worker::worker(args.iter().map(Into::into)),
    };
    match result {
        Ok(exit) | Err(exit) => exit.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_verb_shows_an_example() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands().filter(|v| !v.is_hide_set()) {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("csnbench "), "{}: no example in --help", verb.get_name());
        }
    }

    #[test]
    fn help_knows_topics_beside_verbs() {
        let command = Cli::command();
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for topic in help::TOPICS {
            assert!(command.find_subcommand(topic.name).is_none(), "{} is a verb", topic.name);
            assert!(after.contains(&format!("csnbench help {}", topic.name)), "{}", topic.name);
        }
        for verb in command.get_subcommands().filter(|v| !v.is_hide_set()) {
            let args = ["csnbench", "help", verb.get_name()];
            assert_eq!(help::topic(args.map(Into::into)), None);
            let shown = Cli::try_parse_from(args).err().map(|e| e.kind());
            assert_eq!(shown, Some(clap::error::ErrorKind::DisplayHelp), "{}", verb.get_name());
        }
    }
}
