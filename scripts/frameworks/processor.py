"""Holds this process to as many processors as it may have threads."""

import os


class Unusable(Exception):
    """The machine does not have what is asked for."""


def restrict(threads: int) -> None:
    """Takes effect in libraries that are loaded afterwards."""
    if threads < 1:
        raise Unusable(f"--threads: expected 1 or more, found {threads}")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PJRT_NPROC"):
        os.environ[variable] = str(threads)
    flags = [os.environ.get("XLA_FLAGS", "")]
    if threads == 1:
        flags.append("--xla_cpu_multi_thread_eigen=false")
    flags.append(f"intra_op_parallelism_threads={threads}")
    os.environ["XLA_FLAGS"] = " ".join(flags).strip()
    # There is no other device for JAX to look for.
    os.environ["JAX_PLATFORMS"] = "cpu"
    # XLA makes a thread for each processor that it sees, whatever the flags. Other systems than Linux have no such call.
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < threads:
            raise Unusable(f"--threads: expected at most {len(allowed)}, the processors of this process, found {threads}")
        os.sched_setaffinity(0, allowed[-threads:])
