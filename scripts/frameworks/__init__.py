"""Times compilers of losses that are called from Python on the workloads of the benchmarks."""
