//! Ctrl-C and SIGTERM set a flag; whoever works looks at it and undoes what was begun.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The flag that SIGINT and SIGTERM set. A second signal ends the program at once.
pub fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // the order matters: the default action is armed by the first signal and taken by the second
        let registered = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        if let Err(e) = registered {
            eprintln!(
                "csnbench: cannot watch for signal {signal}: {e}; an interrupted run may need cleaning up"
            );
        }
    }
    flag
}
