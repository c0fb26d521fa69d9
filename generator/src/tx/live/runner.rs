//! The thread that is in the kernel, running the program.

use crate::bpf::Program;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use std::io;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::Duration;

/// Runs of the program per call: so many that the call's fixed cost, some 27 ms, does not matter.
const REPEAT: u32 = 1 << 31;

/// A thread that runs the program until this is dropped.
pub(super) struct Runner {
    stop: Arc<AtomicBool>,
    error: Arc<AtomicI32>,
    thread: Option<JoinHandle<()>>,
    _ahead: Option<Ahead>,
}

impl Runner {
    pub(super) fn start(program: Arc<Program>, frame: Vec<u8>, run: u32) -> io::Result<Self> {
        hear_signals();
        let (stop, error) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)));
        let (halt, failed) = (stop.clone(), error.clone());
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            while !halt.load(Ordering::Acquire) {
                match program.run_live(&frame, REPEAT, run) {
                    Ok(()) | Err(Errno::EINTR) => {}
                    Err(errno) => {
                        failed.store(errno as i32, Ordering::Release);
                        return;
                    }
                }
            }
        })?;
        let thread = Some(thread);
        Ok(Self { stop, error, thread, _ahead: Ahead::of_others() })
    }

    /// Whether the kernel still runs the program.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.error.load(Ordering::Acquire) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        // a signal that comes just before the call is lost: once more
        while !thread.is_finished() {
            // SAFETY: the thread has not been joined, so its handle is valid; the signal has a handler.
            unsafe { libc::pthread_kill(thread.as_pthread_t(), signal()) };
            std::thread::sleep(Duration::from_micros(200));
        }
        let _ = thread.join();
    }
}

/// A signal that nothing else uses.
fn signal() -> libc::c_int {
    libc::SIGRTMIN() + 7
}

/// Has the signal end system calls, and do nothing else.
fn hear_signals() {
    static ONCE: Once = Once::new();
    extern "C" fn nothing(_: libc::c_int) {}
    ONCE.call_once(|| {
        // SAFETY: all-zero bytes are a valid action; the handler touches nothing, and without SA_RESTART calls end.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(signal(), &raw const action, std::ptr::null_mut());
        }
    });
}

/// On a single CPU the program never waits, so the thread that writes frames must come first: the calling one is
/// real-time until this is dropped.
struct Ahead;

impl Ahead {
    fn of_others() -> Option<Self> {
        let cpus = sched_getaffinity(Pid::from_raw(0)).ok()?;
        let count = (0..CpuSet::count()).filter(|c| cpus.is_set(*c).unwrap_or(false)).count();
        (count == 1 && schedule(libc::SCHED_FIFO, 1)).then_some(Self)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        schedule(libc::SCHED_OTHER, 0);
    }
}

fn schedule(policy: libc::c_int, sched_priority: libc::c_int) -> bool {
    let parameter = libc::sched_param { sched_priority };
    // SAFETY: the parameter lives for the call, which is about the calling thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) == 0 }
}
