//! Live frames: an XDP program of our own, run by the kernel on frames that then really leave (BPF_PROG_TEST_RUN with
//! BPF_F_TEST_XDP_LIVE_FRAMES, since Linux 5.18).
//!
//! ```text
//! send loop ─ frames in plan order, send times ─► ring (mapped array) ─► program, in one endless call ─► redirect
//!      ▲                                                                     │
//!      └───────────── how many were sent, and when ◄─────────────────────────┘
//! ```

mod features;
mod program;
mod runner;

use super::device::{Device, system};
use super::{Fates, Fill, MAX_BATCH, Slot, Transmitter, TxError};
use crate::bpf::{Program, SharedArray};
use crate::job::Interruptions;
use csn::Nanos;
use program::{ENTRIES, INLINE, control, entry};
use runner::Runner;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The longest frame: what fits a page beside the kernel's own data.
pub(super) const LONGEST: usize = 3_000;
/// How often the end is looked for.
const LOOK: Duration = Duration::from_micros(100);
/// From this many packets per second on a run of the program is not for one frame but for some: the kernel passes
/// frames on when a run ends, so this is what is traded for the rate.
const RUN_OF_ONE: f64 = 1_500_000.0;
/// Frames of a run at the highest rate: 256 would not fit the ring of a veth.
const RUN: u32 = 64;

/// Sends through the kernel's test runs of XDP programs.
///
/// A frame has left when the program has redirected it; the device's own drops (a veth's peer that is full) are in its
/// statistics. The loop writes frames ahead of their time, at most some thousands.
pub struct Live {
    device: Device,
    slots: Vec<Slot>,
    work: Option<Work>,
    /// Frames put into the ring, and those of them whose fate is known.
    put: u64,
    known: u64,
    pps: Option<f64>,
    /// When the last frame was seen to have left, by the monotonic clock.
    last: u64,
}

/// What there is once the size of frames is known.
struct Work {
    control: SharedArray,
    ring: SharedArray,
    /// Octets of an entry.
    stride: usize,
    longest: usize,
    program: Arc<Program>,
    /// What every frame holds when the program gets it.
    base: Vec<u8>,
    /// Whether frames hold other octets behind the first ones than `base`.
    differs: bool,
    runner: Option<Runner>,
}

impl Live {
    /// Looks whether the interface takes frames of XDP programs, and whether this process may run them.
    pub(super) fn open(interface: &str) -> Result<Self, TxError> {
        let device = Device::find(interface)?;
        features::takes_redirects(&device)?;
        SharedArray::create(8, 1).map_err(refused)?;
        Ok(Self { device, slots: Vec::new(), work: None, put: 0, known: 0, pps: None, last: 0 })
    }

    fn counter(&self, at: usize) -> u64 {
        self.work.as_ref().map_or(0, |w| w.counter(at).load(Ordering::Acquire))
    }

    /// Adds the fates of frames that were sent meanwhile.
    fn harvest(&mut self, fates: &mut Fates) {
        let Some(work) = &self.work else { return };
        let tail = work.counter(control::TAIL).load(Ordering::Acquire);
        if self.pps.is_none() {
            fates.left((tail - self.known) as usize);
        } else {
            for n in self.known..tail {
                let sent = work.entry(n, entry::SENT).load(Ordering::Relaxed);
                let disturbed = sent >> entry::DISTURBED_BIT == 1;
                fates.left_at(Nanos(sent & !(1 << entry::DISTURBED_BIT)), disturbed);
            }
        }
        self.known = tail;
    }
}

impl Work {
    fn counter(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the value is `control::SIZE` octets, and all numbers in it are aligned and used atomically here.
        unsafe { AtomicU64::from_ptr(self.control.map.at(at)) }
    }

    fn entry(&self, n: u64, at: usize) -> &AtomicU64 {
        let place = (n as usize % ENTRIES) * self.stride + at;
        // SAFETY: entries are aligned to 8 octets, and their numbers are used atomically here.
        unsafe { AtomicU64::from_ptr(self.ring.map.at(place)) }
    }

    /// Puts a frame into entry `n`, which the program has done with.
    fn put(&mut self, n: u64, slot: &Slot) {
        let frame = slot.frame();
        let rest = frame.get(INLINE..).unwrap_or_default();
        if self.base.is_empty() {
            self.base = frame.to_vec();
            self.base.resize(self.longest, 0);
        }
        // once some frame has other octets there, any frame's memory may hold them
        self.differs |= rest != &self.base[INLINE.min(self.longest)..][..rest.len()];
        let more = if self.differs { rest.len() } else { 0 };
        let shorter = (frame.len() as i64 - self.longest as i64) as i32 as u32;
        let numbers = u64::from(shorter) | (more as u64) << 32;
        let numbers = if cfg!(target_endian = "little") { numbers } else { numbers.rotate_left(32) };
        self.entry(n, entry::DUE).store(slot.due.0, Ordering::Relaxed);
        self.entry(n, entry::SHORTER).store(numbers, Ordering::Relaxed);
        let place = (n as usize % ENTRIES) * self.stride + entry::FRAME;
        let copied = frame.len().min(INLINE) + more;
        let to: *mut [u8; 1] = self.ring.map.at(place + copied.max(1) - 1);
        // SAFETY: the frame fits the entry, whose end was just shown to be inside of the mapping; the program does not
        // read the entry before the head passes it, and has done with what was there.
        unsafe {
            std::ptr::copy_nonoverlapping(frame.as_ptr(), to.cast::<u8>().sub(copied.max(1) - 1), copied)
        };
    }
}

/// The clock that programs in the kernel have.
fn monotonic() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

/// Why the kernel does not let us.
fn refused(error: io::Error) -> TxError {
    let missing = |reason: &str, cure: &str| TxError::Missing {
        transmitter: "live",
        reason: reason.into(),
        cure: cure.into(),
    };
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => missing(
            "running XDP programs takes CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN outside of any user namespace",
            "be root, or use `xdp`, which a namespace of your own allows",
        ),
        Some(libc::ENOSYS) => {
            missing("the kernel has no bpf(2) (CONFIG_BPF_SYSCALL)", "use `xdp` or `packet`")
        }
        Some(libc::EINVAL | libc::EOPNOTSUPP) => {
            missing("the kernel runs no XDP programs on live frames (Linux has that since 5.18)", "use `xdp`")
        }
        _ => system("bpf(2)")(error),
    }
}

impl Transmitter for Live {
    fn name(&self) -> &'static str {
        "live"
    }

    fn prepare(&mut self, longest: usize, pps: Option<f64>) -> Result<(), TxError> {
        self.device.admit(longest)?;
        if longest > LONGEST {
            return Err(TxError::TooLongFor { transmitter: "live", longest, most: LONGEST });
        }
        let stride = entry::FRAME + longest.max(INLINE).next_multiple_of(8);
        let control = SharedArray::create(control::SIZE, 1).map_err(refused)?;
        let ring = SharedArray::create(stride, ENTRIES).map_err(refused)?;
        let assembled = program::assemble(self.device.index, longest, pps.is_some());
        let program = Arc::new(Program::load(assembled, &[&control, &ring]).map_err(refused)?);
        self.slots = Slot::many(longest);
        self.pps = pps;
        let (base, differs, runner) = (Vec::new(), false, None);
        self.work = Some(Work { control, ring, stride, longest, program, base, differs, runner });
        Ok(())
    }

    fn room(&mut self, fates: &mut Fates) -> usize {
        self.harvest(fates);
        ENTRIES - (self.put - self.known) as usize
    }

    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
        let count = fill(&mut self.slots[..count.min(MAX_BATCH)]);
        let Some(work) = &mut self.work else { return Ok(()) };
        for slot in &self.slots[..count] {
            work.put(self.put, slot);
            self.put += 1;
        }
        work.counter(control::HEAD).store(self.put, Ordering::Release);
        match &work.runner {
            // with send times, nothing must wait for the loop: it starts with a full ring
            None if self.pps.is_none() || self.put as usize + MAX_BATCH > ENTRIES => self.start()?,
            None => {}
            Some(runner) => runner.check().map_err(refused)?,
        }
        self.harvest(fates);
        Ok(())
    }

    fn finish(&mut self, stop: &AtomicBool, fates: &mut Fates) -> Result<(), TxError> {
        if self.put > 0 && self.work.as_ref().is_some_and(|w| w.runner.is_none()) {
            self.start()?;
        }
        while self.known < self.put && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            if let Some(runner) = self.work.as_ref().and_then(|w| w.runner.as_ref()) {
                runner.check().map_err(refused)?;
            }
            self.harvest(fates);
        }
        self.last = monotonic();
        if let Some(work) = &mut self.work {
            // what is in the ring stays there
            work.runner = None;
        }
        self.harvest(fates);
        match self.counter(control::BROKEN) {
            0 => Ok(()),
            n => Err(system("live frames")(io::Error::other(format!(
                "{n} frames could not be written; this is a bug: please report it with the scenario"
            )))),
        }
    }

    fn span(&self) -> Option<Nanos> {
        // with send times each frame has its stamp
        let start = self.counter(control::START);
        (self.pps.is_none() && start > 0).then(|| Nanos(self.last.saturating_sub(start)))
    }

    fn interruptions(&self) -> Option<Interruptions> {
        self.pps.map(|_| Interruptions {
            count: self.counter(control::INTERRUPTIONS),
            total: self.counter(control::INTERRUPTED_TOTAL),
            longest: self.counter(control::INTERRUPTED_LONGEST),
            bound: crate::send::INTERRUPTED,
        })
    }

    fn notes(&self) -> Vec<String> {
        vec![format!("XDP programs on live frames, {} a run, redirected to {}", self.run(), self.device.name)]
    }
}

impl Live {
    /// Frames of a run of the program.
    fn run(&self) -> u32 {
        self.pps.map_or(RUN, |pps| if pps <= RUN_OF_ONE { 1 } else { 16 })
    }

    fn start(&mut self) -> Result<(), TxError> {
        let run = self.run();
        let Some(work) = &mut self.work else { return Ok(()) };
        let mut base = work.base.clone();
        // the kernel takes no frame without a link header
        base.resize(work.longest.max(14), 0);
        work.runner = Some(Runner::start(work.program.clone(), base, run).map_err(system("a thread"))?);
        Ok(())
    }
}
