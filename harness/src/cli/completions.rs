//! `csnbench completions` and `csnbench man`: what shells and `man` know of the command line.

use super::exit::Exit;
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `completions`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench completions bash > ~/.local/share/bash-completion/completions/csnbench
  csnbench completions zsh > ~/.zfunc/_csnbench                 # ~/.zfunc must be in $fpath
  csnbench completions fish > ~/.config/fish/completions/csnbench.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  csnbench man -o ~/.local/share/man/man1 && man csnbench-run")]
pub struct ManArgs {
    /// The folder that gets csnbench.1 and a page per verb; `-` is standard output
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Prints the completions of one shell.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "csnbench", &mut script);
    std::io::stdout().write_all(&script).map_err(|_| Exit::Failed)?;
    Ok(Exit::Done)
}

/// Writes the manual pages.
pub fn man(args: &ManArgs) -> Result<Exit, Exit> {
    let written = pages().and_then(|pages| write(&args.output, &pages));
    written.map(|()| Exit::Done).map_err(|e| {
        eprintln!("csnbench: cannot write to {}: {e}", args.output.display());
        Exit::Failed
    })
}

fn write(folder: &Path, pages: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    if folder == Path::new("-") {
        return pages.iter().try_for_each(|(_, page)| std::io::stdout().write_all(page));
    }
    std::fs::create_dir_all(folder)?;
    pages.iter().try_for_each(|(name, page)| std::fs::write(folder.join(name), page))
}

/// The manual page of the program and those of its verbs, by the names of their files.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = command();
    program.build();
    // building has given `csnbench run` the name csnbench-run
    let verbs = program.get_subcommands().filter(|v| v.get_name() != "help").cloned();
    let all: Vec<Command> = std::iter::once(program.clone()).chain(verbs).collect();
    all.into_iter()
        .map(|page| {
            let man = clap_mangen::Man::new(page);
            let mut text = Vec::new();
            man.render(&mut text)?;
            Ok((man.get_filename(), text))
        })
        .collect()
}

/// The command line as people see it: without the processes that a run starts, and with the names that the tables hold
/// as the values that they stand for.
fn command() -> Command {
    let full = super::Cli::command();
    let mut shown = Command::new("csnbench").version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = full.get_about() {
        shown = shown.about(about.clone());
    }
    if let Some(help) = full.get_after_help() {
        shown = shown.after_help(help.clone());
    }
    let verbs = full.get_subcommands().filter(|v| !v.is_hide_set()).cloned();
    shown.subcommands(verbs.map(with_values))
}

/// A verb whose arguments complete to the entries of a table.
fn with_values(verb: Command) -> Command {
    let values: (&str, Vec<&'static str>) = match verb.get_name() {
        "compile" => ("to", csn::backends::BACKENDS.iter().map(|b| b.name()).collect()),
        "report" => ("to", reports::formats::FORMATS.iter().map(|f| f.name()).collect()),
        "meter" => ("name", meters::builtin::BUILTINS.iter().map(|b| b.name()).collect()),
        "run" => ("meters", meters::METERS.iter().map(|m| m.name()).collect()),
        _ => return verb,
    };
    let (argument, names) = values;
    verb.mut_arg(argument, |a| a.value_parser(PossibleValuesParser::new(names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_that_people_see_has_a_page_and_is_completed() {
        let names: Vec<String> = pages().unwrap().into_iter().map(|(name, _)| name).collect();
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut command(), "csnbench", &mut script);
        let script = String::from_utf8(script).unwrap();
        for verb in super::super::Cli::command().get_subcommands() {
            let name = verb.get_name();
            let page = format!("csnbench-{name}.1");
            assert_eq!(names.contains(&page), !verb.is_hide_set(), "{page} in {names:?}");
            assert_eq!(script.contains(&format!("csnbench__subcmd__{name})")), !verb.is_hide_set(), "{name}");
        }
        assert!(names.contains(&"csnbench.1".to_owned()));
    }

    #[test]
    fn names_from_the_tables_are_completed() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Fish, &mut command(), "csnbench", &mut script);
        let script = String::from_utf8(script).unwrap();
        for backend in csn::backends::BACKENDS {
            assert!(script.contains(&format!("{}\\t", backend.name())), "{}", backend.name());
        }
    }
}
