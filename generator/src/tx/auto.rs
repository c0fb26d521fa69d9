//! The fastest back end that this machine allows.

use super::{Opened, TxError, by_name};

/// The name by which it is asked for.
pub const AUTO: &str = "auto";

/// Back ends for interfaces, the fastest first; each with the longest frames that it takes.
const FASTEST: [(&str, usize); 3] =
    [("live", super::live::LONGEST), ("xdp", super::xsk::CHUNK), ("packet", usize::MAX)];

/// Opens the fastest that works on an interface for frames of up to `longest` bytes, and says why it is that one.
///
/// # Errors
/// Where none works: that of the last, which needs the least.
pub(super) fn open(interface: &str, queue: u32, longest: usize) -> Result<Opened, TxError> {
    let mut why = Vec::new();
    let mut last = None;
    for (name, most) in FASTEST {
        if longest > most {
            why.push(format!("not {name}: frames of {longest} bytes, and it takes {most}"));
            continue;
        }
        let entry = by_name(name)?;
        match (entry.open)(interface, queue) {
            Ok(tx) => {
                why.insert(0, format!("chosen as the fastest for {interface}"));
                return Ok(Opened { tx, pace: entry.pace, why });
            }
            // there is nothing to choose
            Err(e @ TxError::NoInterface(_)) => return Err(e),
            Err(e) => {
                why.push(format!("not {name}: {e}"));
                last = Some(e);
            }
        }
    }
    Err(last.unwrap_or_else(|| TxError::Unknown(AUTO.into())))
}
