//! From stored records to statistics, tables, plots and pages.
//!
//! The crate depends on no other of this workspace: whoever has a run's folder can render and compare it,
//! without a lab. What a run leaves is [`record`]; [`store`] reads it back, [`summary`] turns it into medians,
//! intervals, fits and a verdict, and the [`formats`] show that. Nothing here opens a file: text comes in, bytes
//! go to the writer that the caller hands over.
//!
//! ```
//! use reports::{formats, store::Stored, summary::Summary};
//!
//! let records = r#"{"record":"run","version":1,"title":"nothing yet"}"#;
//! let summary = Summary::of(&Stored::read(records.as_bytes())?);
//! let mut page = Vec::new();
//! formats::find("markdown").unwrap().documents(&summary)[0].write(&mut page)?;
//! assert!(String::from_utf8(page)?.starts_with("# nothing yet"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod compare;
pub mod formats;
pub mod plot;
pub mod record;
pub mod stats;
pub mod store;
pub mod summary;
pub mod text;
