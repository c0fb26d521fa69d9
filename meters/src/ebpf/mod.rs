//! Loads eBPF programs of the back end `ebpf` into the kernel: runs them on frames, attaches them to interfaces, and
//! reads what they have counted. Without any library, by the system call bpf(2) itself.
//!
//! What is loaded goes when the value is dropped: programs, maps and attachments hang on file descriptors.

mod sys;

use csn::Counts;
use csn::ebpf::{Hook, MapKind, Program};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// A program in the kernel, and its maps.
#[derive(Debug)]
pub struct Loaded {
    hook: Hook,
    program: OwnedFd,
    maps: Vec<OwnedFd>,
    classes: usize,
    cpus: usize,
}

/// Why a program could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The process may not.
    #[error(
        "the kernel does not permit bpf(2) (run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)"
    )]
    NotPermitted,
    /// The kernel has no bpf(2).
    #[error("the kernel has no bpf(2) (it needs CONFIG_BPF_SYSCALL)")]
    NotThere,
    /// The verifier refuses the program; with the end of what it says.
    #[error("the kernel refuses the program ({error}): {log}")]
    Refused {
        /// The error.
        error: io::Error,
        /// The last lines of the verifier's log.
        log: String,
    },
    /// Something else.
    #[error("bpf(2): {0}")]
    Failed(#[from] io::Error),
}

impl LoadError {
    /// Whether it is the machine that lacks something, rather than the program.
    pub fn is_missing(&self) -> bool {
        matches!(self, LoadError::NotPermitted | LoadError::NotThere)
    }

    fn of(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => LoadError::NotPermitted,
            Some(libc::ENOSYS) => LoadError::NotThere,
            _ => LoadError::Failed(error),
        }
    }
}

/// What a test run of a program gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What the program returned.
    pub answer: u32,
    /// Nanoseconds of a run, the mean of all turns.
    pub nanoseconds: u32,
}

/// How often a program ran while run times were measured ([`measure`]), and how long altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Runs.
    pub runs: u64,
    /// Their time, what measuring takes included.
    pub nanoseconds: u64,
}

/// The kernel measures the run times of all programs of the machine, until this is dropped.
#[derive(Debug)]
pub struct Measuring {
    _statistics: OwnedFd,
}

/// Has the kernel measure run times (Linux 5.8).
///
/// # Errors
/// What the kernel answers.
pub fn measure() -> io::Result<Measuring> {
    Ok(Measuring { _statistics: sys::enable_statistics()? })
}

/// A program that does nothing: what measuring and running cost by themselves.
pub fn nothing(hook: Hook) -> Program {
    use csn::ebpf::{Instruction, Map, code};
    let pass = if hook == Hook::Xdp { 2 } else { -1 };
    let counts =
        Map { name: "counts", kind: MapKind::PerCpuArray, value_size: 16, entries: 1, contents: vec![] };
    Program {
        hook,
        instructions: vec![
            Instruction { code: code::MOV_K, imm: pass, ..Instruction::default() },
            Instruction { code: code::EXIT, ..Instruction::default() },
        ],
        maps: vec![counts],
        relocations: vec![],
        comments: vec![],
    }
}

/// A program at work on an interface, until it is dropped.
#[derive(Debug)]
pub struct Attached {
    _link: OwnedFd,
}

impl Loaded {
    /// Makes the maps and loads the program.
    ///
    /// # Errors
    /// [`LoadError`] tells what the machine lacks from what is wrong with the program.
    pub fn load(program: &Program) -> Result<Self, LoadError> {
        let mut maps = Vec::with_capacity(program.maps.len());
        for map in &program.maps {
            let fd = sys::create_map(map).map_err(LoadError::of)?;
            if !map.contents.is_empty() && map.kind == MapKind::Array {
                sys::update(fd.as_raw_fd(), 0, &map.contents)?;
            }
            maps.push(fd);
        }
        let mut instructions = program.instructions.clone();
        for r in &program.relocations {
            instructions[r.instruction].imm = maps[r.map].as_raw_fd();
        }
        let bytes: Vec<u8> = instructions.iter().flat_map(|i| i.to_bytes()).collect();
        let fd = match sys::load_program(program.hook, &bytes, None) {
            Ok(fd) => fd,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {
                return Err(LoadError::of(error));
            }
            Err(error) => {
                let mut log = vec![0; 1 << 20];
                // the same again, for what the verifier says
                let _ = sys::load_program(program.hook, &bytes, Some(&mut log));
                return Err(LoadError::Refused { error, log: last_lines(&log) });
            }
        };
        Ok(Self {
            hook: program.hook,
            program: fd,
            maps,
            classes: program.maps[Program::COUNTS].entries,
            cpus: possible_cpus()?,
        })
    }

    /// Packets and octets of every class since the program was loaded, by its place in the rule set; the sum over
    /// all CPUs.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn counts(&self) -> io::Result<Vec<Counts>> {
        let map = self.maps[Program::COUNTS].as_raw_fd();
        let mut value = vec![0; 16 * self.cpus];
        (0..self.classes)
            .map(|class| {
                sys::lookup(map, class as u32, &mut value)?;
                let mut sum = Counts::default();
                for cpu in value.chunks_exact(16) {
                    let number =
                        |at: usize| u64::from_ne_bytes(cpu[at..at + 8].try_into().unwrap_or_default());
                    sum += Counts { packets: number(0), bytes: number(8) };
                }
                Ok(sum)
            })
            .collect()
    }

    /// Runs the program on a frame, `turns` times, without any interface. `interface` is the one that is said to have
    /// received it; XDP knows only those of the caller's network namespace. The kernel takes frames of 14 octets and
    /// more, for XDP up to about a page.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn run(&self, frame: &[u8], interface: Option<u32>, turns: u32) -> io::Result<Ran> {
        sys::test_run(self.program.as_raw_fd(), self.hook, frame, interface, turns)
    }

    /// Attaches the program to packets that the interface receives.
    ///
    /// # Errors
    /// What the kernel answers: EBUSY where XDP has another program, EINVAL where it is too old (links for XDP need
    /// Linux 5.9, those for traffic control 6.6).
    pub fn attach(&self, interface: u32) -> io::Result<Attached> {
        let link = sys::create_link(self.program.as_raw_fd(), self.hook, interface)?;
        Ok(Attached { _link: link })
    }

    /// Its runs while run times were measured.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn statistics(&self) -> io::Result<Statistics> {
        let (runs, nanoseconds) = sys::run_time(self.program.as_raw_fd())?;
        Ok(Statistics { runs, nanoseconds })
    }

    /// What the verifier did: instructions that it went through.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn verified_instructions(&self) -> io::Result<u32> {
        sys::verified_instructions(self.program.as_raw_fd())
    }
}

/// The last lines of a text that ends with zeros.
fn last_lines(log: &[u8]) -> String {
    let end = log.iter().position(|b| *b == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// How many CPUs the kernel keeps values for.
fn possible_cpus() -> io::Result<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    cpus_of(text.trim()).ok_or_else(|| io::Error::other(format!("possible CPUs: `{}`", text.trim())))
}

/// The count of a list such as `0-3,8`.
fn cpus_of(list: &str) -> Option<usize> {
    let mut count = 0;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count += (last + 1).checked_sub(first)?;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_counted() {
        assert_eq!(cpus_of("0"), Some(1));
        assert_eq!(cpus_of("0-3,8"), Some(5));
        assert_eq!(cpus_of("3-0"), None);
        assert_eq!(cpus_of(""), None);
    }

    #[test]
    fn the_end_of_a_log_is_told() {
        let log = (0..40).map(|n| format!("{n}\n")).collect::<String>() + "\0\0";
        assert!(last_lines(log.as_bytes()).starts_with("10\n") && last_lines(log.as_bytes()).ends_with("39"));
    }
}
