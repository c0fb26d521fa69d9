//! From what a session is given to what the meter runs.

use super::engine::Engine;
use super::readout::Classes;
use crate::builtin::{Rules, Session};
use crate::meter::MeterError;
use csn::backends::{Compiled, Options, shared_tests};
use csn::rtfm::Program;
use csn::{MeterSpec, RuleSet};

/// What a session runs.
pub struct Loaded {
    /// The rule sets.
    pub programs: Vec<Program>,
    /// The same, each in its engine.
    pub engines: Vec<Engine>,
    /// Labels of the classes.
    pub classes: Classes,
}

/// Loads the rules of a session.
///
/// # Errors
/// Whatever is wrong with the rules.
pub fn load(session: &Session) -> Result<Loaded, MeterError> {
    let spec = &session.options;
    let (programs, classes) = match &session.rules {
        Rules::Csn { ruleset, loaded } => {
            let emitted = emit(spec, ruleset, *loaded)?;
            (vec![emitted.program], Classes { count: ruleset.classes.len(), labels: emitted.labels })
        }
        Rules::Texts(texts) => (parse(spec, texts)?, Classes::default()),
    };
    let engines = programs
        .iter()
        .map(|p| {
            Engine::new(p).map_err(|faults| wrong(spec, p.set, faults.iter().map(|f| (f.rule, &f.message))))
        })
        .collect::<Result<_, _>>()?;
    Ok(Loaded { programs, engines, classes })
}

/// A rule set of the notation in the meter's language.
pub struct RuleFile {
    /// The text.
    pub text: String,
    /// The program.
    pub program: Program,
    /// What the meter's labels mean.
    pub labels: Vec<(String, csn::ClassId)>,
}

/// Translates the first `loaded` rules.
///
/// # Errors
/// The first rule that the meter can't express.
pub fn emit(spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<RuleFile, MeterError> {
    // the structure is that of the whole list, whatever part of it is loaded
    let options = Options { shared: Some(shared_tests(rules)), ..Options::default() };
    let made = crate::builtin::emit(spec, "rtfm", &rules.first(loaded), &options)?;
    match made.program {
        Compiled::Rtfm(program) => Ok(RuleFile { text: made.artefact, program, labels: made.labels }),
        _ => Err(MeterError::Failed {
            meter: spec.name.clone(),
            reason: "the back end `rtfm` made no program".into(),
        }),
    }
}

fn parse(spec: &MeterSpec, texts: &[String]) -> Result<Vec<Program>, MeterError> {
    let mut programs: Vec<Program> = Vec::new();
    for (n, text) in (1..).zip(texts) {
        let program = program(n, text)?;
        if programs.iter().any(|p| p.set == program.set) {
            let reason =
                format!("there is a rule set {} already: give each its own number, as `SET 2`", program.set);
            return Err(MeterError::Input { what: format!("rule file {n}"), reason });
        }
        programs.push(program);
    }
    if programs.is_empty() {
        let reason = "there are none: name a file".into();
        return Err(MeterError::Input { what: format!("the rules of {}", spec.name), reason });
    }
    Ok(programs)
}

/// A rule set as a rule file, or as a program of SRL, which only the compiler can tell from each other: a rule file has
/// the word `RULES` in front of its rules.
fn program(n: usize, text: &str) -> Result<Program, MeterError> {
    let what = |kind: &str| format!("{kind} {n}");
    let words = || text.lines().filter_map(|l| l.split('#').next()).flat_map(str::split_whitespace);
    if words().any(|w| w.eq_ignore_ascii_case("RULES")) {
        return Program::parse(text).map_err(|errors| MeterError::Input {
            what: what("rule file"),
            reason: errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("\n"),
        });
    }
    let compiled = csn::srl::compile(text);
    if compiled.diagnostics.is_empty() {
        return Ok(compiled.program);
    }
    let line = |at: u32| text.get(..at as usize).unwrap_or_default().matches('\n').count() + 1;
    let shown = |d: &csn::Diagnostic| format!("line {}: {}: {}", line(d.span.start), d.message, d.cure);
    Err(MeterError::Input {
        what: what("SRL program"),
        reason: compiled.diagnostics.iter().map(shown).collect::<Vec<_>>().join("\n"),
    })
}

fn wrong<'a>(spec: &MeterSpec, set: u32, faults: impl Iterator<Item = (u32, &'a String)>) -> MeterError {
    let lines: Vec<_> = faults.map(|(rule, message)| format!("rule {rule}: {message}")).collect();
    MeterError::Input { what: format!("rule set {set} for {}", spec.name), reason: lines.join("\n") }
}
