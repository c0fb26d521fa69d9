//! The lab, the trials and the run: everything of csnbench that measures. The command line stands on it.
//!
//! ```text
//! run::run ─► lab::Lab (namespaces, a veth pair)
//!    │           ├─ worker generate ── packets ──► meter under test
//!    └─ trial ───┴─ cpu, ledger, validity ──► reports::record ─► records.jsonl
//! ```

pub mod clocks;
pub mod cpu;
pub mod history;
pub mod host;
pub mod lab;
pub mod progress;
pub mod run;
pub mod search;
pub mod trial;
pub mod worker;
