//! From tokens to statements.

use super::Errors;
use super::ast::{Arm, Call, Mask, Operand, Parameter, Saved, Source, Statement, Subroutine, What};
use super::conditions;
use super::lexer::{Kind, Token};
use crate::diagnostic::{FileId, Span};
use crate::rtfm::{Attribute, Column, Opcode};

/// Statements and brackets within each other.
const MOST_NESTED: usize = 200;

/// Reads a program; every statement that cannot be read is reported and left out.
pub(super) fn parse<'a>(tokens: &[Token<'a>], length: usize, errors: &mut Errors) -> Source<'a> {
    let end = Span { file: FileId(0), start: length as u32, end: length as u32 };
    let mut parser = Parser { tokens, at: 0, depth: 0, end, errors };
    let mut source = Source::default();
    while parser.peek().is_some() {
        let start = parser.at;
        if parser.item(&mut source).is_none() {
            parser.recover(start);
        }
    }
    source
}

pub(super) struct Parser<'t, 'a, 'e> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: usize,
    end: Span,
    pub(super) errors: &'e mut Errors,
}

/// `None`: what is wrong was reported.
type Read<T> = Option<T>;

impl<'a> Parser<'_, 'a, '_> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn at(&self, text: &str) -> bool {
        self.peek().is_some_and(|t| t.is(text))
    }

    /// Takes that keyword or mark, where it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.at(text);
        self.at += usize::from(found);
        found
    }

    fn here(&self) -> Span {
        self.peek().map_or(self.end, |t| t.span)
    }

    /// The place of the token read last.
    fn last(&self) -> Span {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(self.end, |t| t.span)
    }

    fn wrong<T>(&mut self, wanted: &str) -> Read<T> {
        let found = self.peek().map_or("the end of the program".to_string(), |t| format!("`{}`", t.text));
        self.errors.add(
            self.here(),
            format!("{wanted} is expected here, not {found}"),
            "the statement cannot be read otherwise (RFC 2723, appendix A)",
            format!("write {wanted}, or take the statement out"),
        );
        None
    }

    pub(super) fn expect(&mut self, text: &str) -> Read<()> {
        if self.take(text) { Some(()) } else { self.wrong(&format!("`{text}`")) }
    }

    pub(super) fn kind(&mut self, kind: Kind, wanted: &str) -> Read<Token<'a>> {
        match self.peek() {
            Some(t) if t.kind == kind => {
                self.at += 1;
                Some(t)
            }
            _ => self.wrong(wanted),
        }
    }

    fn word(&mut self, wanted: &str) -> Read<Token<'a>> {
        self.kind(Kind::Word, wanted)
    }

    /// A value, or the name of one.
    pub(super) fn value(&mut self) -> Read<Token<'a>> {
        match self.peek() {
            Some(t) if matches!(t.kind, Kind::Word | Kind::Value) => {
                self.at += 1;
                Some(t)
            }
            _ => self.wrong("a value"),
        }
    }

    fn number(&mut self, wanted: &str) -> Read<u32> {
        match self.peek().and_then(|t| t.text.parse().ok()) {
            Some(n) => {
                self.at += 1;
                Some(n)
            }
            None => self.wrong(wanted),
        }
    }

    /// Goes on behind a statement that began at token `start` and could not be read.
    fn recover(&mut self, start: usize) {
        self.at = self.at.max(start + 1);
        while let Some(t) = self.peek() {
            if t.is("}") || t.is("endsub") || t.is("endcall") {
                return;
            }
            self.at += 1;
            if t.is(";") || t.is("{") {
                return;
            }
        }
    }

    /// Runs `read` one level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= MOST_NESTED {
            let place = self.here();
            let reason = format!("{MOST_NESTED} levels are the most");
            self.errors.add(place, "statements stand in each other too deep", reason, "make a subroutine");
            // nothing of the rest can be read in its place
            self.at = self.tokens.len();
            return None;
        }
        self.depth += 1;
        let out = read(self);
        self.depth -= 1;
        out
    }

    fn item(&mut self, source: &mut Source<'a>) -> Read<()> {
        if self.take("subroutine") {
            source.subroutines.push(self.subroutine()?);
        } else if self.take("set") {
            source.set = Some(self.number("the number of the rule set")?);
            self.expect(";")?;
        } else if self.take("statistics") {
            source.statistics = true;
            self.expect(";")?;
        } else if self.take("format") {
            self.columns(&mut source.format)?;
        } else {
            source.body.push(self.statement()?);
        }
        Some(())
    }

    fn columns(&mut self, out: &mut Vec<Column>) -> Read<()> {
        while !self.take(";") {
            let Some(t) = self.peek() else { return self.wrong("`;`") };
            let column = match t.kind {
                Kind::Text => Some(Column::Text(t.text.trim_matches('"').into())),
                _ => Attribute::from_name(t.text).map(Column::Attribute),
            };
            match column {
                Some(c) => out.push(c),
                None => return self.wrong("an attribute or a text between quotation marks"),
            }
            self.at += 1;
        }
        Some(())
    }

    fn subroutine(&mut self) -> Read<Subroutine<'a>> {
        let name = self.word("the name of the subroutine")?;
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.take(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
            }
            let variable = self.take("variable");
            if !variable {
                self.expect("address")?;
            }
            parameters.push(Parameter { variable, name: self.word("the name of the parameter")? });
        }
        let body = self.statements("endsub");
        self.expect("endsub")?;
        self.expect(";")?;
        Some(Subroutine { name, parameters, body })
    }

    /// Statements up to the one that ends them, which is left.
    fn statements(&mut self, end: &str) -> Vec<Statement<'a>> {
        let mut out = Vec::new();
        while self.peek().is_some() && !self.at(end) {
            let start = self.at;
            match self.statement() {
                Some(s) => out.push(s),
                None => {
                    self.recover(start);
                    // brackets that do not match are reported once, by whoever opened them
                    if self.at("}") || self.at("endsub") || self.at("endcall") {
                        break;
                    }
                }
            }
        }
        out
    }

    pub(super) fn statement(&mut self) -> Read<Statement<'a>> {
        self.nested(|p| {
            let start = p.here();
            let what = p.what()?;
            Some(Statement { span: start.to(p.last()), what })
        })
    }

    fn what(&mut self) -> Read<What<'a>> {
        if self.take("if") {
            return self.conditional();
        }
        if self.take("{") {
            return self.block(None);
        }
        if self.take("call") {
            return self.call().map(What::Call);
        }
        let labelled = self.tokens.get(self.at + 1).is_some_and(|t| t.is(":"));
        if let Some(label) = self.peek().filter(|t| labelled && t.kind == Kind::Word) {
            self.at += 2;
            self.expect("{")?;
            return self.block(Some(label));
        }
        let what = self.imperative()?;
        self.expect(";")?;
        Some(what)
    }

    fn block(&mut self, label: Option<Token<'a>>) -> Read<What<'a>> {
        let body = self.statements("}");
        self.expect("}")?;
        Some(What::Block { label, body })
    }

    fn imperative(&mut self) -> Read<What<'a>> {
        let Some(keyword) = self.peek() else { return self.wrong("a statement") };
        self.at += 1;
        Some(match keyword.text.to_ascii_lowercase().as_str() {
            "count" => What::End(Opcode::Count),
            "ignore" => What::End(Opcode::Ignore),
            "nomatch" => What::End(Opcode::NoMatch),
            "exit" => What::Exit(self.word("the label of a block")?),
            "return" if self.at(";") => What::Return(None),
            "return" => What::Return(Some(self.number("the number of a return")?)),
            "store" => {
                let variable = self.word("a variable")?;
                self.expect(":=")?;
                What::Store { variable, value: self.value()? }
            }
            "save" => {
                let attribute = self.word("an attribute")?;
                let what = match self.take("=") {
                    true => Saved::Constant(self.operand()?),
                    false => Saved::Packet(self.mask()?),
                };
                What::Save { attribute, what }
            }
            _ => {
                self.at -= 1;
                return self.wrong("a statement");
            }
        })
    }

    fn conditional(&mut self) -> Read<What<'a>> {
        let mut arms = Vec::new();
        loop {
            let condition = self.condition()?;
            let save = self.take("save");
            let body = match save && (self.take(";") || !self.take(",")) {
                true => None,
                false => Some(self.statement()?),
            };
            let condition = if save { conditions::level(condition, self)? } else { condition };
            arms.push(Arm { condition, save, body });
            if !self.take("else") {
                return Some(What::If { arms, otherwise: None });
            }
            if !self.take("if") {
                let otherwise = Some(Box::new(self.statement()?));
                return Some(What::If { arms, otherwise });
            }
        }
    }

    pub(super) fn operand(&mut self) -> Read<Operand<'a>> {
        Some(Operand { value: self.value()?, mask: self.mask()? })
    }

    fn mask(&mut self) -> Read<Mask<'a>> {
        if self.take("/") {
            return Some(Mask::Width(self.value()?));
        }
        Some(if self.take("&") { Mask::Bits(self.value()?) } else { Mask::Whole })
    }

    fn call(&mut self) -> Read<Call<'a>> {
        let name = self.word("the name of a subroutine")?;
        self.expect("(")?;
        let mut actuals = Vec::new();
        while !self.take(")") {
            if !actuals.is_empty() {
                self.expect(",")?;
            }
            actuals.push(self.word("an attribute")?);
        }
        // the RFC's own programs write a semicolon where there are no returns
        self.take(";");
        let mut returns = Vec::new();
        while !self.take("endcall") {
            let mut numbers = Vec::new();
            while self.peek().is_some_and(|t| t.kind == Kind::Value) {
                numbers.push(self.number("the number of a return")?);
                self.expect(":")?;
            }
            if numbers.is_empty() {
                return self.wrong("the number of a return, or `endcall`");
            }
            returns.push((numbers, self.statement()?));
        }
        self.expect(";")?;
        Some(Call { name, actuals, returns })
    }

    /// The place of the token that comes next.
    pub(super) fn place(&self) -> Span {
        self.here()
    }
}
