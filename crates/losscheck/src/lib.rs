//! Differential testing of PyTorch's loss functions.
//!
//! The modules stand in the order in which a test case travels, and each uses only those before it:
//!
//! ```text
//! loss         What is tested: each loss with its options and tensors, its error scale, and what it generates at random.
//!   │
//! case         A loss with its tensors, a cotangent, and PyTorch's answer: the golden format, and random cases.
//!   │
//! backend      What evaluates a case: the reference, candle, libtorch, or yours. It answers, rejects, or provides nothing.
//!   │
//! judge        Compares the answer with the oracle and with PyTorch's: a verdict.
//!   │
//! deviations   Decides which differences are known, and why a backend has them.
//!   │
//! run          Puts cases to all backends and sums up: conformance, random testing, metamorphic relations, accuracy.
//! ```
//!
//! The types of a loss, a case and a backend are in the crates `losscheck-options` and `losscheck-backend`, so that a backend
//! need not depend on this one.
//!
//! Beside them, [`tensor`] holds tensors and dtypes, [`data`] finds the shipped files, and [`error`] and [`files`] read and write
//! them.
//!
//! # Glossary
//!
//! - A **loss** is one of PyTorch's losses with its options, such as `cross_entropy` with `ignore_index` and `label_smoothing`.
//! - A **case** is a loss, its input tensors, a cotangent, and what is expected. Its id never changes.
//! - The **cotangent** is the upstream gradient from which the backward pass starts (`grad_output`).
//! - A **backend** evaluates cases. Its **answer** is the value and one gradient for each differentiable input; it may also reject
//!   the case.
//! - A **golden** is PyTorch's own answer, stored with the case.
//! - The **oracle** evaluates the formulas of the reference in double-double arithmetic. Errors are measured from its answer.
//! - The **error scale** of a number is the sum of the magnitudes of the terms that the documented formula adds up to it. The
//!   error of a careful implementation grows with it.
//! - The **tolerance** says how many ULPs at the error scale a number may be off.
//! - A **verdict** is the result of comparing an answer with the oracle and the golden: agrees, differs (and how), or not
//!   provided.
//! - A **known deviation** is a known difference of one backend: of which kind, on which cases, why, and where it is reported.

pub mod backend;
pub mod case;
pub mod data;
pub mod deviations;
pub mod error;
pub mod files;
pub mod judge;
pub mod loss;
pub mod markdown;
pub mod run;
pub mod tensor;
