//! How much memory a call holds: the program's allocator, which counts while it is asked to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

/// The system's allocator. Unless it counts, all it costs is a look at a flag.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
/// The bytes that have been allocated since, less those freed.
static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST_HELD: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    if IS_COUNTING.load(Relaxed) {
        let held = HELD.fetch_add(bytes, Relaxed) + bytes;
        MOST_HELD.fetch_max(held, Relaxed);
    }
}

/// Returns a layout's size, which by `Layout`'s promise fits.
fn bytes(layout: Layout) -> isize {
    layout.size() as isize
}

// SAFETY: each method hands its arguments on to `System` as they are and returns what that returns, so that what `System`
// promises holds, on the conditions that the caller has met; counting neither allocates nor panics.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(bytes(layout));
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(bytes(layout));
        // SAFETY: see above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-bytes(layout));
        // SAFETY: see above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - bytes(layout));
        // SAFETY: see above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Returns the most bytes that this program held at a time while the work ran, in all its threads, beyond those before; nothing
/// else may run meanwhile.
pub fn most_held(work: impl FnOnce()) -> u64 {
    HELD.store(0, Relaxed);
    MOST_HELD.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    work();
    IS_COUNTING.store(false, Relaxed);
    MOST_HELD.load(Relaxed).unsigned_abs() as u64
}
