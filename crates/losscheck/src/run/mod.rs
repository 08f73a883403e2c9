//! The runs: what is put to all backends, and what becomes of their answers.

pub mod accuracy;
pub mod conformance;
pub mod drift;
pub mod fuzz;
pub mod metamorphic;
pub mod older;
pub mod table;
