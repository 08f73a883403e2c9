//! The instructions that kernels are compiled for, and the choice among those that the processor has.
//!
//! The results do not depend on the choice, except for the sign and the payload of a NaN, which IEEE 754 leaves open.

use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Instructions {
    /// No vectors beyond those that every processor of the architecture has.
    Baseline,
    /// AVX2 and fused multiply-add, on x86-64.
    Avx2,
    /// AVX-512, on x86-64.
    Avx512,
}

impl Instructions {
    /// Returns the sets that this processor has, the widest last.
    pub fn available() -> Vec<Self> {
        let mut available = vec![Self::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            available.extend(pulp::x86::V3::try_new().map(|_| Self::Avx2));
            available.extend(pulp::x86::V4::try_new().map(|_| Self::Avx512));
        }
        available
    }

    /// Returns the set that kernels use: the widest that the processor has and that [`Instructions::limit`] allows.
    pub fn in_use() -> Self {
        Self::available().into_iter().rfind(|&set| allows(set)).unwrap_or(Self::Baseline)
    }

    /// Has all kernels of this program use no wider set of instructions than this one, so that one processor shows what
    /// another computes. Meant for tests; it affects every thread.
    pub fn limit(self) {
        WIDEST.store(self as u8, Ordering::Relaxed);
    }
}

static WIDEST: AtomicU8 = AtomicU8::new(Instructions::Avx512 as u8);

#[inline(always)]
fn allows(instructions: Instructions) -> bool {
    WIDEST.load(Ordering::Relaxed) >= instructions as u8
}

/// Runs a kernel, compiled for each set of instructions, with the widest one.
#[inline(always)]
pub(crate) fn vectorize<T>(kernel: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    {
        if allows(Instructions::Avx512)
            && let Some(v4) = pulp::x86::V4::try_new()
        {
            return v4.vectorize(kernel);
        }
        if allows(Instructions::Avx2)
            && let Some(v3) = pulp::x86::V3::try_new()
        {
            return v3.vectorize(kernel);
        }
    }
    kernel()
}

/// Runs a kernel that is written over the vectors of a set of instructions with the widest one.
pub(crate) fn dispatch<K: pulp::WithSimd>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if allows(Instructions::Avx512)
            && let Some(v4) = pulp::x86::V4::try_new()
        {
            return pulp::Simd::vectorize(v4, kernel);
        }
        if allows(Instructions::Avx2)
            && let Some(v3) = pulp::x86::V3::try_new()
        {
            return pulp::Simd::vectorize(v3, kernel);
        }
        pulp::Simd::vectorize(pulp::Scalar::new(), kernel)
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(kernel)
}

/// Gives `input` to `fast`, compiled for each set of instructions with vectors, or to `plain` where there is none.
///
/// On x86-64 this saves a third of the copies: `plain` can call through pointers and be shared between formulas.
#[inline(always)]
pub(crate) fn fast_or_plain<I, T>(input: I, fast: impl FnOnce(I) -> T, plain: impl FnOnce(I) -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    {
        if allows(Instructions::Avx512)
            && let Some(v4) = pulp::x86::V4::try_new()
        {
            return v4.vectorize(
                #[inline(always)]
                || fast(input),
            );
        }
        if allows(Instructions::Avx2)
            && let Some(v3) = pulp::x86::V3::try_new()
        {
            return v3.vectorize(
                #[inline(always)]
                || fast(input),
            );
        }
        plain(input)
    }
    // The vectors of other architectures belong to their baseline.
    #[cfg(not(target_arch = "x86_64"))]
    if allows(Instructions::Avx2) { fast(input) } else { plain(input) }
}
