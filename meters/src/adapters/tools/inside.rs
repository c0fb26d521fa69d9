//! Commands that run to their end in the meter's namespace.

use crate::meter::{Job, Launch, MeterError};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The meter's namespace, for as long as a meter runs.
pub struct Inside {
    meter: String,
    launch: Box<dyn Launch>,
}

impl Inside {
    /// The namespace of a job.
    ///
    /// # Errors
    /// A namespace that can't be held open.
    pub fn of(job: &Job<'_>) -> Result<Self, MeterError> {
        let io = |source| MeterError::Io { what: "hold the meter's namespace open".into(), source };
        Ok(Self { meter: job.spec.name.clone(), launch: job.launch.again().map_err(io)? })
    }

    /// The meter's name.
    pub fn meter(&self) -> &str {
        &self.meter
    }

    /// What a command prints.
    ///
    /// # Errors
    /// A command that can't be started or that fails, with what it said.
    pub fn run(&self, command: Command) -> Result<String, MeterError> {
        self.feed(command, "")
    }

    /// What a command prints that reads `input`.
    ///
    /// # Errors
    /// As [`Inside::run`].
    pub fn feed(&self, command: Command, input: &str) -> Result<String, MeterError> {
        let words = words(&command);
        let answer = self.output(command, input)?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&[answer.stderr, answer.stdout].concat()).trim().to_owned();
        let said: String = said.chars().take(2000).collect();
        Err(self.failed(format!("`{words}` failed: {said}")))
    }

    /// An error of the meter.
    pub fn failed(&self, reason: impl Into<String>) -> MeterError {
        MeterError::Failed { meter: self.meter.clone(), reason: reason.into() }
    }

    fn output(&self, mut command: Command, input: &str) -> Result<Output, MeterError> {
        let what = words(&command);
        let io = |source| MeterError::Io { what: format!("run `{what}`"), source };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.launch.spawn(command).map_err(io)?;
        let writer = child.stdin.take().map(|mut pipe| {
            let input = input.to_owned();
            // one that does not read all of it says why itself
            std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())))
        });
        let answer = child.wait_with_output().map_err(io)?;
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        Ok(answer)
    }
}

/// A command as people write it, without its path.
fn words(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut out = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        out.push(' ');
        out.push_str(&argument.to_string_lossy());
    }
    out
}

/// Commands that undo what was done in the namespace, when it is dropped: the last first.
#[derive(Default)]
pub struct Undo {
    commands: Vec<Command>,
}

impl Undo {
    /// One more to be run.
    pub fn with(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Runs them.
    pub fn all(&mut self, inside: &Inside) {
        while let Some(command) = self.commands.pop() {
            // what is gone already is as good
            let _ = inside.output(command, "");
        }
    }
}
