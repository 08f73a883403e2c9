//! Differential testing of PyTorch's loss functions.
//!
//! A [`Case`](case::Case) is a loss with its options and tensors; a [`Backend`](backend::Backend) evaluates it; the
//! [oracle] knows the exact answer; and [`judge`](verdict::judge) compares the three. [Deviations](deviations) are the
//! differences on record.

pub mod accuracy;
pub mod backend;
pub mod backends;
mod batch;
pub mod bounds;
pub mod budget;
pub mod case;
pub mod conditions;
pub mod definition;
pub mod deviations;
pub mod excuses;
pub mod fuzz;
pub mod generate;
pub mod golden;
pub mod judge;
pub mod loss;
pub mod losses;
pub mod metamorphic;
pub mod oracle;
pub mod performance;
pub mod runner;
pub mod schema;
pub mod suite;
pub mod tensor;
pub mod ulp;
pub mod verdict;
