//! The summary as JSON, for programs.

use super::{Document, Format};
use crate::summary::Summary;
use std::io;

/// One JSON object.
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "the whole summary as one JSON object, for programs"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("summary.json", move |out| {
            serde_json::to_writer_pretty(&mut *out, summary).map_err(io::Error::other)?;
            out.write_all(b"\n")
        })]
    }
}
