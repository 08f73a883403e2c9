//! Asks for memory before it is needed: what the processor foresees by itself ends with a page, and the walk to the next one
//! takes as long as hundreds of elements.

/// How far ahead to ask, in bytes: far enough for memory to answer in the meantime, near enough for the answers to stay in
/// the first-level cache.
const AHEAD: usize = 2048;

/// The bytes that memory answers with.
const LINE: usize = 64;

/// Asks for what lies [`AHEAD`] of these numbers, if anything does.
#[inline(always)]
pub(crate) fn ahead_of<T>(numbers: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for number in numbers.iter().step_by(const { LINE / size_of::<T>() }.max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        let ahead = std::ptr::from_ref(number).cast::<i8>().wrapping_add(AHEAD);
        // SAFETY: every x86-64 processor that runs this has the instruction (SSE). It is a hint: whatever the address, it
        // changes nothing but what the caches hold, and never faults.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(ahead);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, AHEAD, LINE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_few_or_longer_than_a_line() {
        ahead_of::<f32>(&[]);
        ahead_of(&[1.0_f64; 3]);
        ahead_of(&[[1.0_f64; 16]; 3]);
    }
}
