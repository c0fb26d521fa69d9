//! What adapters to meters outside of this project are made of.
//!
//! | file | what |
//! |---|---|
//! | `external.rs` | a meter as data, and how its rules are made |
//! | `settings.rs` | options that all share |
//! | `program.rs` | where programs are, which version, what installs them |
//! | `inside.rs` | commands in the meter's namespace |
//! | `daemon.rs` | a process with its log, its readiness and its end |
//! | `sockets.rs` | packet sockets, seen from outside: buffers and drops |
//! | `probe.rs` | meters that capture in a process |
//! | `kernel.rs` | meters in the kernel |
//! | `flows.rs` | flows, mapped to classes by the oracle |
//! | `collector.rs` | what probes export, collected |

pub mod collector;
pub mod daemon;
pub mod external;
pub mod flows;
pub mod inside;
pub mod kernel;
pub mod probe;
pub mod program;
pub mod settings;
pub mod sockets;

pub use external::{External, Order, by_class, unlimited};
pub use kernel::InKernel;
pub use probe::Probe;
pub use program::{Program, read, write};
pub use settings::{BUFFER, FILTER};
