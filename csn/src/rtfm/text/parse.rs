//! From text to a program.

use super::TextError;
use super::literal::Literal;
use crate::rtfm::{Attribute, Column, Opcode, Program, Rule};
use std::collections::HashMap;

impl Program {
    /// Reads a rule file. Every error of the file is reported at once.
    ///
    /// # Errors
    /// What is not understood, labels that are missing or stand twice, and what [`Program::check`] finds.
    pub fn parse(text: &str) -> Result<Self, Vec<TextError>> {
        let mut reader = Reader::new(text);
        reader.read();
        reader.finish()
    }
}

/// Where a rule leads, as written.
enum Target {
    Next,
    Number(u32),
    Label(String),
}

/// A rule as written.
struct Written {
    line: usize,
    rule: Rule,
    target: Target,
    /// Whether it was understood; if not, it only keeps the numbers of the others right.
    sound: bool,
}

/// A whole-line comment.
struct Comment {
    line: usize,
    text: String,
}

struct Reader {
    /// The text without comments; lines are kept.
    text: String,
    comments: Vec<Comment>,
    at: usize,
    /// A place, and the lines that end before it.
    counted: (usize, usize),
    set: Option<u32>,
    /// The line of `RULES`.
    rules_line: Option<usize>,
    rules: Vec<Written>,
    /// Labels in lower case, with the number of the rule behind them and their line.
    labels: HashMap<String, (u32, usize)>,
    format: Vec<Column>,
    statistics: bool,
    errors: Vec<TextError>,
}

/// Takes comments out, those with a line of their own aside. A `#` between quotation marks is none.
fn without_comments(text: &str) -> (String, Vec<Comment>) {
    let mut code = String::with_capacity(text.len());
    let mut comments = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let mut quoted = false;
        let hash = line.find(|c| {
            quoted ^= c == '"';
            c == '#' && !quoted
        });
        let kept = &line[..hash.unwrap_or(line.len())];
        if let Some(at) = hash.filter(|_| kept.trim().is_empty()) {
            let text = line[at..].trim_start_matches('#').trim();
            if !text.is_empty() {
                comments.push(Comment { line: i + 1, text: text.to_string() });
            }
        }
        code.push_str(kept);
        code.push('\n');
    }
    (code, comments)
}

impl Reader {
    fn new(text: &str) -> Self {
        let (text, comments) = without_comments(text);
        Self {
            text,
            comments,
            at: 0,
            counted: (0, 0),
            set: None,
            rules_line: None,
            rules: Vec::new(),
            labels: HashMap::new(),
            format: Vec::new(),
            statistics: false,
            errors: Vec::new(),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The line that the reader is in. It never goes back, so only what is new is counted.
    fn line(&mut self) -> usize {
        let (from, before) = self.counted;
        let lines = before + self.text[from..self.at].matches('\n').count();
        self.counted = (self.at, lines);
        lines + 1
    }

    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.errors.push(TextError { line, message: message.into() });
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes `c`, where it comes next behind white space.
    fn take(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    /// Takes a word of letters, digits and underscores; empty where there is none.
    fn word(&mut self) -> String {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest[..end].to_string();
        self.at += end;
        word
    }

    fn read(&mut self) {
        loop {
            self.skip_space();
            if self.rest().is_empty() {
                return;
            }
            let (start, line) = (self.at, self.line());
            let word = self.word();
            match word.to_ascii_lowercase().as_str() {
                "set" => self.read_set(line),
                "rules" => self.rules_line = self.rules_line.or(Some(line)),
                "format" => self.read_format(line),
                "statistics" => {
                    self.statistics = true;
                    self.take(';');
                }
                "" => {
                    self.error(
                        line,
                        format!("`{}` starts nothing", self.rest().lines().next().unwrap_or("").trim()),
                    );
                    self.skip_statement();
                }
                label if self.take(':') => self.read_label(label, line),
                _ => {
                    self.at = start;
                    self.read_rule(line);
                }
            }
        }
    }

    fn skip_statement(&mut self) {
        let rest = self.rest();
        self.at += rest.find([';', '\n']).map_or(rest.len(), |i| i + 1);
    }

    fn read_set(&mut self, line: usize) {
        let number = self.word();
        self.take(';');
        match number.parse() {
            Ok(n) if self.set.is_none() && n > 0 => self.set = Some(n),
            Ok(n) if n > 0 => self.error(line, "a second SET: a file holds one rule set"),
            _ => self.error(line, format!("SET takes a number from 1 up, not `{number}`")),
        }
    }

    fn read_label(&mut self, label: &str, line: usize) {
        let next = self.rules.len() as u32 + 1;
        if let Some((_, before)) = self.labels.insert(label.to_string(), (next, line)) {
            self.error(line, format!("the label `{label}` stands in line {before} already"));
        }
    }

    fn read_format(&mut self, line: usize) {
        loop {
            self.skip_space();
            if self.take(';') {
                return;
            }
            if self.take('"') {
                let Some(end) = self.rest().find(['"', '\n']).filter(|i| self.rest()[*i..].starts_with('"'))
                else {
                    let line = self.line();
                    self.error(line, "a quotation mark is not closed");
                    return self.skip_statement();
                };
                self.format.push(Column::Text(self.rest()[..end].to_string()));
                self.at += end + 1;
                continue;
            }
            let here = self.line();
            let word = self.word();
            match Attribute::from_name(&word) {
                Some(a) => self.format.push(Column::Attribute(a)),
                None if word.is_empty() => {
                    self.error(line, "FORMAT ends with `;`");
                    return self.skip_statement();
                }
                None => self.error(here, format!("no attribute is called `{word}`")),
            }
        }
    }

    fn read_rule(&mut self, line: usize) {
        let rest = self.rest();
        let end = rest.find(';');
        let text = &rest[..end.unwrap_or(rest.len())];
        // more than one rule without a `;` between them: take the first line
        let first = text.lines().next().unwrap_or("");
        let more =
            text.matches('&').count() > 1 || (text.trim_end() != first.trim_end() && rule(first).is_ok());
        let cut = more || end.is_none();
        let text = if cut { first } else { text }.to_string();
        self.at += text.len() + usize::from(!cut);
        if cut {
            self.error(line, format!("no `;` at the end of `{}`", text.trim()));
        }
        if self.rules_line.is_none() {
            self.rules_line = Some(line);
            self.error(line, "rules come behind a line `RULES`");
        }
        let (rule, target, sound) = match rule(&text) {
            Ok((rule, target)) => (rule, target, true),
            Err(message) => {
                self.error(line, message);
                (NOTHING, Target::Next, false)
            }
        };
        self.rules.push(Written { line, rule, target, sound });
    }

    fn finish(mut self) -> Result<Program, Vec<TextError>> {
        let mut program = Program {
            set: self.set.unwrap_or(1),
            rules: Vec::new(),
            comments: Vec::new(),
            format: std::mem::take(&mut self.format),
            statistics: self.statistics,
        };
        let rules = std::mem::take(&mut self.rules);
        for (number, written) in (1u32..).zip(&rules) {
            let parameter = match &written.target {
                Target::Next if written.rule.opcode.jumps() => number + 1,
                Target::Next => 1,
                Target::Number(n) => *n,
                Target::Label(label) => match self.labels.get(label) {
                    Some((n, _)) => *n,
                    None => {
                        self.error(written.line, format!("no rule has the label `{label}`"));
                        number
                    }
                },
            };
            program.rules.push(Rule { parameter, ..written.rule });
        }
        if rules.is_empty() && self.errors.is_empty() {
            self.error(self.rules_line.unwrap_or(1), "the file has no rules");
        }
        for fault in program.check() {
            match rules.get((fault.rule as usize).wrapping_sub(1)) {
                Some(w) if w.sound => self.error(w.line, fault.message),
                Some(_) => {}
                None => self.error(1, fault.message),
            }
        }
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|e| e.line);
            return Err(self.errors);
        }
        let head = self.rules_line.unwrap_or(0);
        for c in self.comments {
            let number = if c.line < head {
                0
            } else {
                // rules stand in the order of their lines
                match rules.partition_point(|w| w.line <= c.line) {
                    n if n < rules.len() => n as u32 + 1,
                    // behind the last rule there is nothing to comment on
                    _ => continue,
                }
            };
            program.comments.push((number, c.text));
        }
        Ok(program)
    }
}

const NOTHING: Rule =
    Rule { attribute: Attribute::Null, octets: 2, mask: 0, value: 0, opcode: Opcode::Ignore, parameter: 0 };

/// Reads `attribute & mask = value: opcode, parameter`.
fn rule(text: &str) -> Result<(Rule, Target), String> {
    let form =
        || format!("`{}` is not of the form `attribute & mask = value: opcode, parameter;`", text.trim());
    // the last colon: IPv6 addresses have some of their own
    let (test, action) = text.rsplit_once(':').ok_or_else(form)?;
    let (attribute, pattern) = test.split_once('&').ok_or_else(form)?;
    let (mask, value) = pattern.split_once('=').ok_or_else(form)?;
    let name = attribute.trim();
    let attribute = Attribute::from_name(name).ok_or_else(|| format!("no attribute is called `{name}`"))?;
    let (opcode, target) = match action.split_once(',') {
        Some((o, t)) => (o.trim(), t.trim()),
        None => (action.trim(), ""),
    };
    let opcode = Opcode::from_name(opcode).ok_or_else(|| format!("no opcode is called `{opcode}`"))?;
    let mask = Literal::parse(mask.trim(), attribute)?;
    let value = Literal::parse(value.trim(), attribute)?;
    let assigns = matches!(opcode, Opcode::Assign | Opcode::AssignAct);
    let written = mask.octets().max(value.octets().filter(|_| !assigns));
    let octets = match attribute.octets() {
        // addresses: as wide as what is written
        16 if !attribute.is_variable() => {
            if written > Some(4) {
                16
            } else {
                4
            }
        }
        16 => written.unwrap_or(1),
        0 => return Err(format!("{} belongs to flow records: rules cannot test it", attribute.name())),
        fixed => usize::from(fixed),
    };
    let rule = Rule {
        attribute,
        octets: octets as u8,
        mask: mask.bits(octets)?,
        value: value.bits(if assigns { 16 } else { octets })?,
        opcode,
        parameter: 0,
    };
    Ok((rule, target_of(target, opcode)?))
}

fn target_of(text: &str, opcode: Opcode) -> Result<Target, String> {
    let word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match text {
        "" if opcode.jumps() || opcode == Opcode::Return => {
            Err(format!("{} needs a parameter: a label, a rule's number or Next", opcode.name()))
        }
        "" => Ok(Target::Number(0)),
        t if t.eq_ignore_ascii_case("next") => Ok(Target::Next),
        t if t.bytes().all(|b| b.is_ascii_digit()) => {
            t.parse().map(Target::Number).map_err(|_| format!("`{t}` is too large for a rule's number"))
        }
        t if word => Ok(Target::Label(t.to_ascii_lowercase())),
        t => Err(format!("`{t}` is neither a label nor a rule's number")),
    }
}
