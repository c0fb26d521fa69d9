//! The ways in which a summary is shown.
//!
//! To add one: a file beside this one with a [`Format`], and its line in [`FORMATS`].

mod annotations;
mod bencher;
mod csv;
mod github_benchmark;
mod html;
mod hyperfine;
mod json;
mod junit;
mod markdown;
mod meters;
mod openmetrics;
mod plots;
mod table;
mod terminal;

pub(crate) use html::{page_of as html_page, table as html_table};

use crate::summary::Summary;
use std::io::{self, Write};

/// A way to show a summary.
pub trait Format: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it is, in one line.
    fn about(&self) -> &'static str;

    /// Whether a run writes it into its folder; the others are for programs that ask for them by name.
    fn is_written(&self) -> bool {
        true
    }

    /// The files that it makes of a summary: one for most formats, one a figure for plots, none where there is
    /// nothing to show. Nothing is rendered before a document is written.
    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>>;
}

/// A file that a format makes.
pub struct Document<'a> {
    /// Its name in the run's folder.
    pub file: String,
    render: Box<Render<'a>>,
}

type Render<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

impl<'a> Document<'a> {
    /// A document with the code that renders it.
    pub fn new(file: impl Into<String>, render: impl Fn(&mut dyn Write) -> io::Result<()> + 'a) -> Self {
        Self { file: file.into(), render: Box::new(render) }
    }

    /// Renders the document.
    ///
    /// # Errors
    /// Those of the writer, and where a figure can't be drawn.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        (self.render)(out)
    }
}

/// Every format.
pub static FORMATS: &[&dyn Format] = &[
    &terminal::Terminal,
    &markdown::Markdown,
    &html::Html,
    &plots::Svg,
    &plots::Png,
    &csv::Csv,
    &junit::Junit,
    &json::Json,
    &annotations::Annotations,
    &bencher::Bencher,
    &github_benchmark::Smaller,
    &github_benchmark::Bigger,
    &hyperfine::Hyperfine,
    &openmetrics::OpenMetrics,
];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|f| f.name() == name)
}

/// Renders every document of every format that belongs into a run's folder, one after the other, into
/// `put(file, bytes)`.
///
/// # Errors
/// The first of `put`, or of a figure that can't be drawn.
pub fn render_all(summary: &Summary, put: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>) -> io::Result<()> {
    for document in FORMATS.iter().filter(|f| f.is_written()).flat_map(|f| f.documents(summary)) {
        let mut bytes = Vec::new();
        document.write(&mut bytes)?;
        put(&document.file, &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stored;

    #[test]
    fn names_and_files_are_unique_and_explained() {
        let summary = Summary::of(&Stored::default());
        let mut files: Vec<String> = Vec::new();
        for (i, format) in FORMATS.iter().enumerate() {
            assert!(FORMATS[..i].iter().all(|f| f.name() != format.name()));
            assert!(!format.about().is_empty() && !format.about().ends_with('.'));
            assert_eq!(find(format.name()).unwrap().name(), format.name());
            files.extend(format.documents(&summary).into_iter().map(|d| d.file));
        }
        let all = files.len();
        files.sort();
        files.dedup();
        assert_eq!(files.len(), all);
    }

    #[test]
    fn a_run_without_trials_is_shown_by_every_format() {
        let summary = Summary::of(&Stored::default());
        for document in FORMATS.iter().flat_map(|f| f.documents(&summary)) {
            let mut bytes = Vec::new();
            document.write(&mut bytes).unwrap();
            // no news is an empty list of annotations
            assert!(!bytes.is_empty() || document.file == "annotations.txt", "{}", document.file);
        }
    }
}
