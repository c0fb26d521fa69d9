//! Reads a file and what it includes into one list of statements.

use super::Loader;
use crate::ast::{Expr, Item, Keyword, Statement};
use crate::codes;
use crate::diagnostic::{FileId, Sources, Span};
use crate::parse;
use crate::report::Report;

/// Files that include files deeper than this hardly end.
const MAX_DEPTH: usize = 64;

/// All statements of a scenario, in the order in which they hold.
pub(crate) struct Files<'l> {
    pub(crate) sources: Sources,
    pub(crate) statements: Vec<Statement>,
    /// Words in what could not be read.
    pub(crate) mentioned: Vec<String>,
    /// Classes or rules may be missing because they could not be read.
    pub(crate) incomplete: bool,
    loader: &'l mut dyn Loader,
    /// The files that are being read, each including the next.
    path: Vec<FileId>,
}

impl<'l> Files<'l> {
    /// Nothing read yet.
    pub(crate) fn new(loader: &'l mut dyn Loader) -> Self {
        Self {
            sources: Sources::new(),
            statements: Vec::new(),
            mentioned: Vec::new(),
            incomplete: false,
            loader,
            path: Vec::new(),
        }
    }

    /// Reads a file's statements, and those of the files that it includes at their place.
    pub(crate) fn read(&mut self, name: &str, text: &str, report: &mut Report) {
        let file = self.sources.add(name, text);
        let parsed = parse::file(file, text, report);
        self.incomplete |= parsed.lost;
        self.mentioned.extend(parsed.mentioned);
        self.path.push(file);
        for statement in parsed.statements {
            if statement.keyword == Keyword::Include {
                statement.items.iter().for_each(|item| self.include(item, report));
            } else {
                self.statements.push(statement);
            }
        }
        self.path.pop();
    }

    fn include(&mut self, item: &Item, report: &mut Report) {
        let Item::Bare(Expr { kind: crate::ast::ExprKind::Text(inner), span }) = item else {
            report.add(
                &codes::SHAPE,
                item.span(),
                "this is no path",
                "`include` takes paths in quotes",
                "write `include: \"file.csn\";`",
            );
            return;
        };
        let path = parse::unescape(inner).map(|b| String::from_utf8_lossy(&b).into_owned());
        let Ok(path) = path else { return };
        let including = self.sources.name(span.file).to_owned();
        match self.loader.load(&including, &path) {
            Ok((name, text)) => self.enter(&name, &text, *span, report),
            Err(why) => {
                self.incomplete = true;
                report.add(
                    &codes::INCLUDE,
                    *span,
                    format!("`{path}` cannot be included"),
                    why,
                    "correct the path: it is relative to the including file",
                );
            }
        }
    }

    fn enter(&mut self, name: &str, text: &str, span: Span, report: &mut Report) {
        let known = self.sources.iter().find(|(_, n, _)| *n == name).map(|(id, ..)| id);
        match known {
            Some(id) if self.path.contains(&id) => self.endless(name, span, report),
            Some(_) => {
                report.add(
                    &codes::INCLUDED_TWICE,
                    span,
                    format!("`{name}` is included already"),
                    "its statements are left out the second time",
                    "include it once",
                );
            }
            None if self.path.len() >= MAX_DEPTH => self.endless(name, span, report),
            None => self.read(name, text, report),
        }
    }

    fn endless(&self, name: &str, span: Span, report: &mut Report) {
        let chain: Vec<&str> = self.path.iter().map(|id| self.sources.name(*id)).collect();
        let shown = chain[chain.len().saturating_sub(8)..].join(" includes ");
        report.add(
            &codes::INCLUDE_CYCLE,
            span,
            format!("including `{name}` here would not end"),
            format!("{shown} includes {name}"),
            "take the include out, or move what both need to a third file",
        );
    }
}
