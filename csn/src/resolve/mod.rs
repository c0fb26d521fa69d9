//! From statements to a scenario. Files and definitions first, since they hold whatever the order; then classes and
//! rules in order; then traffic and experiment, which may name classes and rules that come later.
//!
//! | statement | read in |
//! |---|---|
//! | `include` | `files` |
//! | `define` | `names` |
//! | `set` | `classes` |
//! | `addrule` | `rules`, with `values` |
//! | `load` | `load`, with `spread`, `sizes`, `headers` and `models`; then `shares` |
//! | `scenario`, `meter`, `run`, `expect` | `experiment`, with `quantity` |
//! | `vary` | `vary` |

mod classes;
mod compile;
mod context;
mod experiment;
mod files;
mod headers;
mod load;
mod models;
mod names;
mod packet;
mod quantity;
mod rules;
mod search;
mod shares;
mod sizes;
mod spread;
mod values;
mod vary;
#[cfg(test)]
pub(crate) mod vocabulary;
pub(crate) mod words;

pub use compile::{Outcome, compile};
pub(crate) use files::Files;
pub(crate) use names::Names;
pub use packet::parse_packet;
pub(crate) use words::of as words_of;

/// Where included files come from; this crate reads none by itself.
pub trait Loader {
    /// The file that `path` names in the file `including`: its own name, by which a second include of the same file
    /// is known, and its text. The error says why there is none.
    fn load(&mut self, including: &str, path: &str) -> Result<(String, String), String>;
}

/// No file can be included.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLoader;

impl Loader for NoLoader {
    fn load(&mut self, _including: &str, _path: &str) -> Result<(String, String), String> {
        Err("files cannot be included here".into())
    }
}
