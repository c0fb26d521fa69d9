//! Where a process of the lab belongs: its namespaces and its CPU.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// The namespaces and the CPU of one side of the lab. Processes started here end with the thread that starts
/// them.
pub struct Place {
    pub(super) user: Option<File>,
    pub(super) network: File,
    pub(super) cpu: Option<u32>,
}

impl Place {
    /// The CPU, where the sides are kept apart.
    pub fn cpu(&self) -> Option<u32> {
        self.cpu
    }
}

impl meters::Launch for Place {
    fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let user = self.user.as_ref().map(AsRawFd::as_raw_fd);
        let network = self.network.as_raw_fd();
        let set = self.cpu.map(cpu_set);
        let parent = std::process::id();
        // SAFETY: between fork and exec only system calls are made and nothing is allocated; the descriptors stay
        // open in `self` until the child has its copies.
        unsafe {
            command.pre_exec(move || {
                own_session();
                if let Some(user) = user {
                    ok(libc::setns(user, libc::CLONE_NEWUSER))?;
                }
                ok(libc::setns(network, libc::CLONE_NEWNET))?;
                if let Some(set) = &set {
                    ok(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set))?;
                }
                // last, because entering a user namespace takes it back
                end_with(parent)
            });
        }
        let child = command.spawn()?;
        // a session is a scheduling group of its own: where allowed, builds and the like do not share its CPU
        let _ = std::fs::write(format!("/proc/{}/autogroup", child.id()), "-20");
        Ok(child)
    }

    fn again(&self) -> io::Result<Box<dyn meters::Launch>> {
        let user = self.user.as_ref().map(File::try_clone).transpose()?;
        Ok(Box::new(Self { user, network: self.network.try_clone()?, cpu: self.cpu }))
    }
}

/// A result of a system call.
pub(super) fn ok(code: libc::c_int) -> io::Result<()> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Leaves the terminal's process group, so that Ctrl-C reaches the controller alone, which then takes things
/// down in order. To be called between fork and exec.
pub(super) fn own_session() {
    // SAFETY: takes nothing; fails only for a group's leader, which a new process is not.
    unsafe { libc::setsid() };
}

/// Has the kernel end this process with the thread that started it. To be called between fork and exec.
pub(super) fn end_with(parent: u32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    ok(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    // SAFETY: takes nothing.
    if unsafe { libc::getppid() } as u32 == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// The set that holds one CPU.
fn cpu_set(cpu: u32) -> libc::cpu_set_t {
    // SAFETY: all zeros is the empty set; `CPU_SET` checks its bound.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu as usize, &mut set);
        set
    }
}

/// The CPUs that this thread may use.
pub fn allowed_cpus() -> Vec<u32> {
    // SAFETY: the set is valid for its size; `CPU_ISSET` is asked about its own bits only.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) != 0 {
            return vec![];
        }
        (0..libc::CPU_SETSIZE as usize).filter(|c| libc::CPU_ISSET(*c, &set)).map(|c| c as u32).collect()
    }
}

/// Keeps the calling thread on a CPU until dropped.
pub struct Pinned {
    before: libc::cpu_set_t,
}

impl Pinned {
    /// Moves the calling thread to `cpu`; none where that is refused.
    pub fn to(cpu: u32) -> Option<Self> {
        let set = cpu_set(cpu);
        // SAFETY: both sets are valid for their size.
        unsafe {
            let mut before: libc::cpu_set_t = std::mem::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            let moved = libc::sched_getaffinity(0, size, &raw mut before) == 0
                && libc::sched_setaffinity(0, size, &raw const set) == 0;
            moved.then_some(Self { before })
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: the set is valid for its size.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.before) };
    }
}
