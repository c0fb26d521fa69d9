//! Large pages for what is read all over.

/// Below this, in bytes, the processor remembers where all pages are.
const LARGE: usize = 4 << 20;
/// What the kernel gives memory in.
const PAGE: usize = 4096;

/// Asks the kernel for large pages in the room of a list that is still to be filled: a million frames read in any order
/// then cost no walks through page tables. What comes of it is up to the kernel.
pub fn ask_for_large_pages<T>(list: &mut Vec<T>) {
    let room = list.spare_capacity_mut();
    let (from, bytes) = (room.as_mut_ptr() as usize, std::mem::size_of_val(room));
    let first = from.next_multiple_of(PAGE);
    let whole = (from + bytes).saturating_sub(first) / PAGE * PAGE;
    if bytes >= LARGE && whole > 0 {
        // SAFETY: these pages lie within the list's own allocation, and the advice changes nothing that is in them
        unsafe { libc::madvise(first as *mut libc::c_void, whole, libc::MADV_HUGEPAGE) };
    }
}
