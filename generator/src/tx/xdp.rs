//! AF_XDP.

use super::device::Device;
use super::xsk::{CHUNK, CHUNKS, Socket};
use super::{Fates, Fill, Slot, Transmitter, TxError};
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the device may complete nothing before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// An AF_XDP socket: frames lie in memory that is shared with the kernel, and are counted when it gives them back.
///
/// In copy mode the kernel makes a packet of each frame in the sending call, without the packet socket's hooks; drivers
/// with zero copy read the frame where it lies. A frame has left when it comes back through the completion ring. The
/// kernel says by EBUSY that the device has refused one; it comes back too, as the last one of that call.
pub struct Xdp {
    device: Device,
    queue: u32,
    slots: Vec<Slot>,
    socket: Socket,
    /// Frames that were handed over, and those of them whose fate is known; a frame's chunk is its number modulo
    /// [`CHUNKS`].
    sent: u64,
    known: u64,
    /// What is known of the frames between, by chunk.
    marks: Box<[Mark; CHUNKS as usize]>,
}

/// What is known of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    UnderWay,
    Left,
    Refused,
}

impl Xdp {
    /// Opens the socket and binds it to a queue of the interface.
    pub(super) fn open(interface: &str, queue: u32) -> Result<Self, TxError> {
        let device = Device::find(interface)?;
        Ok(Self {
            socket: Socket::open(&device, queue)?,
            device,
            queue,
            slots: Vec::new(),
            sent: 0,
            known: 0,
            marks: Box::new([Mark::UnderWay; CHUNKS as usize]),
        })
    }

    fn under_way(&self) -> usize {
        (self.sent - self.known) as usize
    }

    /// Takes completed frames back, and adds the fates of those that are next. Answers whether there were any.
    fn reap(&mut self, refused: bool, fates: &mut Fates) -> bool {
        let mut last = None;
        let completed = self.socket.completion.consume(|address| {
            let n = address as usize / CHUNK % CHUNKS as usize;
            self.marks[n] = Mark::Left;
            last = Some(n);
        });
        if let (true, Some(last)) = (refused, last) {
            self.marks[last] = Mark::Refused;
        }
        while self.known < self.sent {
            let mark = &mut self.marks[(self.known % u64::from(CHUNKS)) as usize];
            match std::mem::replace(mark, Mark::UnderWay) {
                Mark::UnderWay => break,
                Mark::Left => fates.left(1),
                Mark::Refused => fates.refused(1),
            }
            self.known += 1;
        }
        completed > 0
    }

    /// Has the kernel send what is in the ring.
    fn kick(&mut self, fates: &mut Fates) -> Result<(), TxError> {
        let mut since = None;
        loop {
            let answer = self.socket.kick();
            let moved = self.reap(answer == Err(Errno::EBUSY), fates);
            match answer {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR | Errno::EBUSY) => {}
                // there is more in the ring than one call takes, or the device's queue is full
                Err(Errno::EAGAIN | Errno::ENOBUFS) if moved => since = None,
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(self.device.gone(Errno::ENOBUFS));
                    }
                }
                Err(errno) => return Err(self.device.gone(errno)),
            }
        }
    }

    /// Waits until no more than `most` frames are under way, or until nothing has moved for a second.
    fn wait(&mut self, most: usize, stop: Option<&AtomicBool>, fates: &mut Fates) -> Result<bool, TxError> {
        let mut since = Instant::now();
        while self.under_way() > most {
            if self.reap(false, fates) {
                since = Instant::now();
            } else if since.elapsed() > PATIENCE || stop.is_some_and(|s| s.load(Ordering::Relaxed)) {
                return Ok(false);
            } else {
                self.kick(fates)?;
            }
        }
        Ok(true)
    }
}

impl Transmitter for Xdp {
    fn name(&self) -> &'static str {
        "xdp"
    }

    fn prepare(&mut self, longest: usize, _: Option<f64>) -> Result<(), TxError> {
        self.device.admit(longest)?;
        self.slots = Slot::many(longest);
        if longest > CHUNK {
            return Err(TxError::TooLongFor { transmitter: "xdp", longest, most: CHUNK });
        }
        Ok(())
    }

    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
        if !self.wait(CHUNKS as usize - count, None, fates)? {
            return Err(self.device.gone(Errno::ETIMEDOUT));
        }
        let count = fill(&mut self.slots[..count]);
        if count == 0 {
            return Ok(());
        }
        let (socket, first) = (&mut self.socket, self.sent);
        let number = |i: usize| ((first + i as u64) % u64::from(CHUNKS)) as u32;
        for (i, slot) in self.slots[..count].iter().enumerate() {
            let frame = slot.frame();
            socket.frame(number(i))[..frame.len()].copy_from_slice(frame);
        }
        socket.transmit.produce(self.slots[..count].iter().enumerate().map(|(i, slot)| libc::xdp_desc {
            addr: u64::from(number(i)) * CHUNK as u64,
            len: slot.frame().len() as u32,
            options: 0,
        }));
        self.sent += count as u64;
        self.kick(fates)
    }

    fn finish(&mut self, stop: &AtomicBool, fates: &mut Fates) -> Result<(), TxError> {
        self.wait(0, Some(stop), fates).map(drop)
    }

    fn notes(&self) -> Vec<String> {
        let how = if self.socket.is_zero_copy() { "without a copy" } else { "in copy mode" };
        vec![format!("AF_XDP {how}, queue {} of {}", self.queue, self.device.name)]
    }
}
