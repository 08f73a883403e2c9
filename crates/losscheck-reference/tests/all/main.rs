//! All tests of the public interface, as one program. As programs of their own, they would each compile the kernels that they call.

mod adaptive_log_softmax;
mod class_counts;
mod cosines;
mod ctc;
mod elementary;
mod functional;
mod interleaved;
mod linear_layers;
mod processor;
mod rounding;
mod rules;
mod sharing;
mod triplets;
