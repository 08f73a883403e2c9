//! Differential testing of PyTorch's loss functions.
//!
//! A [`Case`](case::Case) is a loss with its options and tensors; a [`Backend`](backend::Backend) evaluates it; the
//! [oracle](judge::oracle) knows the exact answer; and a [`Judge`](judge::Judge) compares the three. [Deviations](deviations)
//! are the differences that are known.

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
