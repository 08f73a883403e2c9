//! What no loss beyond the caches can be faster than: a copy of as much data.

use std::hint::black_box;

use crate::alternate::Work;

/// Returns a copy that reads and writes so many bytes in all.
pub fn workload<'a>(bytes: u64) -> Work<'a> {
    let half = bytes.div_ceil(2) as usize;
    let (from, mut to) = (vec![1_u8; half], vec![0_u8; half]);
    Box::new(move || black_box(&mut to[..]).copy_from_slice(black_box(&from)))
}
