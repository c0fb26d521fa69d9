//! Everything that needs a lab, on this machine. Where it does not allow one, tests print the reason and pass.

mod generate;
mod lab;
mod meters;
mod oracle;
mod receive;
mod run;
mod scenario;
mod trial;

use harness::lab::{Lab, LabError, LabOptions, Namespaces};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_csnbench");

/// Labs share the machine's CPUs, and named ones their names: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lab, or none with the reason printed where the machine does not allow one.
fn lab(namespaces: Namespaces) -> Option<Lab> {
    match Lab::create(&LabOptions { program: PROGRAM.into(), namespaces, ..LabOptions::default() }) {
        Ok(lab) => Some(lab),
        Err(e @ LabError::Refused { .. }) => {
            println!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}
