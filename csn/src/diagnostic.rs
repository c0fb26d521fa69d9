//! What the front end has to say about a scenario: one value per finding, rendered elsewhere.

use serde::{Deserialize, Serialize};

/// A source file of a compilation, by its place in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(pub u32);

/// A stretch of source text: byte offsets, `end` excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

impl Span {
    /// The stretch from the start of `self` to the end of `other`, in the file of `self`.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.end) }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// The scenario means something, but hardly what was meant.
    Warning,
    /// A matter of style or spelling.
    Lint,
}

/// A second place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// One finding: where, what, why, and how to mend it.
///
/// Serialises as one JSON object; positions are byte offsets (see [`Sources::line_column`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `E…` for errors, `W…` for warnings, `L…` for lints; three digits, one meaning for ever.
    pub code: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// The place.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Why that is so, said at the place.
    pub reason: String,
    /// What to write instead.
    pub cure: String,
    /// Other places that belong to it.
    pub related: Vec<Label>,
}

/// The texts of a compilation: the file itself first, then what it includes.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// One text.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Where lines begin: counting them anew for every place of a large file takes its time.
    lines: Vec<u32>,
}

impl Sources {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and gives it its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let behind = text.match_indices('\n').map(|(i, _)| i as u32 + 1);
        let lines = [0].into_iter().chain(behind).collect();
        self.files.push(Source { name: name.into(), text, lines });
        FileId(self.files.len() as u32 - 1)
    }

    /// The name that a file was opened by.
    pub fn name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].name
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].text
    }

    /// The text of a stretch.
    pub fn slice(&self, span: Span) -> &str {
        &self.text(span.file)[span.start as usize..span.end as usize]
    }

    /// All files in the order in which they were opened.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &str, &str)> {
        (0..).map(FileId).zip(&self.files).map(|(id, s)| (id, s.name.as_str(), s.text.as_str()))
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn line_column(&self, file: FileId, offset: u32) -> (usize, usize) {
        let Source { text, lines, .. } = &self.files[file.0 as usize];
        let offset = offset.min(text.len() as u32);
        let line = lines.partition_point(|start| *start <= offset);
        let before = &text[lines[line - 1] as usize..offset as usize];
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let mut sources = Sources::new();
        let text = "a\n\nä = b;\r\n";
        let file = sources.add("x.csn", text);
        let at = |needle: &str| sources.line_column(file, text.find(needle).unwrap() as u32);
        assert_eq!([at("a"), at("\n"), at("ä"), at("=")], [(1, 1), (1, 2), (3, 1), (3, 3)]);
        assert_eq!(sources.line_column(file, 2), (2, 1), "an empty line");
        assert_eq!(sources.line_column(file, text.len() as u32), (4, 1), "behind the last line's end");
        assert_eq!(sources.line_column(file, u32::MAX), (4, 1), "beyond the text");
        let empty = sources.add("empty", "");
        assert_eq!(sources.line_column(empty, 0), (1, 1));
    }
}
