//! Memory that is shared with the kernel.

use nix::errno::Errno;
use std::io;
use std::os::fd::RawFd;
use std::ptr::NonNull;

/// A mapping, until it is dropped.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone on this side; what the kernel does with it is for the users of `at`.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a part of what a descriptor stands for.
    pub(crate) fn of(fd: RawFd, offset: i64, length: usize) -> io::Result<Self> {
        Self::map(fd, offset, length, libc::MAP_SHARED | libc::MAP_POPULATE)
    }

    /// Fresh memory, all zeros.
    pub(crate) fn anonymous(length: usize) -> io::Result<Self> {
        Self::map(-1, 0, length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE)
    }

    fn map(fd: RawFd, offset: i64, length: usize, flags: libc::c_int) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(Errno::last().into());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The address of a `T` at an offset in bytes.
    ///
    /// # Panics
    /// Where it does not lie within the mapping.
    pub(crate) fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= self.length, "{offset} is outside of the mapping");
        // SAFETY: the offset is within the mapping, as just checked.
        unsafe { self.start.as_ptr().add(offset).cast() }
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own and is not used after this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
