//! Where a plan's values lie while it runs: slots, each an address, and scratch space that ends with an instruction.
use crate::reader::Operand;
use std::alloc::{Layout, alloc, dealloc};

/// Memory of its own, aligned to a page; its first contents are arbitrary.
pub struct Buffer {
    address: *mut u8,
    pub bytes: usize,
}
// SAFETY: a buffer owns its memory
unsafe impl Send for Buffer {}
// SAFETY: as above; who writes when is the plan's order
unsafe impl Sync for Buffer {}

const ALIGN: usize = 4096;
/// The larger pages that x86-64 and aarch64 have: rows of a matrix that lie far apart need an entry of the address cache each.
const LARGE: usize = 1 << 21;
fn layout(bytes: usize) -> Layout {
    let align = if bytes >= 2 * LARGE { LARGE } else { ALIGN };
    Layout::from_size_align(bytes.max(64), align).expect("a buffer's size fits the address space")
}

/// Asks the system for large pages; it may have none, and then nothing changes.
#[cfg(target_os = "linux")]
fn advise(address: *mut u8, bytes: usize) {
    unsafe extern "C" {
        fn madvise(address: *mut std::ffi::c_void, length: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
    }
    const HUGEPAGE: std::ffi::c_int = 14;
    if bytes >= 2 * LARGE {
        // SAFETY: whole pages of the buffer's own; advice does not change what they hold
        unsafe { madvise(address.cast(), bytes / LARGE * LARGE, HUGEPAGE) };
    }
}
#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}

impl Buffer {
    /// `Err` with the size where the system has no such memory.
    pub fn new(bytes: usize) -> Result<Buffer, String> {
        let buffer = Buffer::of_small_pages(bytes)?;
        advise(buffer.address, bytes);
        Ok(buffer)
    }

    /// The same without asking for large pages: where memory is in pieces, the system takes milliseconds to find each, which is more
    /// than reading weights from a file takes.
    pub fn of_small_pages(bytes: usize) -> Result<Buffer, String> {
        if bytes > isize::MAX as usize - LARGE {
            return Err(format!("{bytes} bytes are more than an address can name"));
        }
        // SAFETY: the size is not zero
        let address = unsafe { alloc(layout(bytes)) };
        if address.is_null() {
            return Err(format!("the system has no {bytes} bytes of memory"));
        }
        Ok(Buffer { address, bytes })
    }
    pub fn address(&self) -> *mut u8 {
        self.address
    }
    pub fn slice(&self) -> &[u8] {
        // SAFETY: the buffer owns these bytes; it is read only where it was written
        unsafe { std::slice::from_raw_parts(self.address, self.bytes) }
    }
    pub fn slice_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is unique
        unsafe { std::slice::from_raw_parts_mut(self.address, self.bytes) }
    }
}
impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout
        unsafe { dealloc(self.address, layout(self.bytes)) };
    }
}

/// The addresses of one run.
pub struct Memory {
    pub slots: Vec<*mut u8>,
    /// Scratch that all threads share, and scratch of each thread.
    pub shared: *mut u8,
    pub own: Vec<*mut u8>,
}
// SAFETY: kernels write disjoint parts between barriers
unsafe impl Send for Memory {}
// SAFETY: as above
unsafe impl Sync for Memory {}

impl Memory {
    /// The address of an operand whose elements have `size` bytes.
    pub fn bytes(&self, o: Operand, size: usize) -> *mut u8 {
        // SAFETY: the offset was checked against the slot's size
        unsafe { self.slots[o.slot].add(o.offset * size) }
    }
    /// The address of an operand; that it holds what the kernel reads or writes was checked when the plan was read.
    #[inline]
    pub fn at<T>(&self, o: Operand) -> *mut T {
        // SAFETY: the offset was checked against the slot's size
        unsafe { self.slots[o.slot].cast::<T>().add(o.offset) }
    }
}
