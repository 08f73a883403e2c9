"""Measures the backends on the workloads, and verifies them before."""

import functools
import gc
import time
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from .backends import BACKENDS, Call, Unavailable, prepare_for
from .draw import Draw, Inputs, Shape
from .files import Cell, Workload
from .losses import LOSSES
from .verify import difference, expected

SAMPLES = 10
# Of a sample: long enough for the clock, short enough that samples of the backends alternate often.
NANOSECONDS = 30_000_000


class Differs(Exception):
    """How a backend's results are not those of the loss."""


class Bench:
    """Measures workloads, one after the other."""

    def __init__(self, backends: Sequence[str], threads: int) -> None:
        prepare_for(threads)
        # PyTorch says of kl_div and others that their defaults are not the best.
        warnings.filterwarnings("ignore", category=UserWarning)
        self.backends = backends
        # Who was seen to compute something else, by backend, loss and dtype, and how.
        self.refuted: dict[tuple[str, str, str], str] = {}

    def measure(self, workload: Workload) -> list[Cell]:
        """A cell for each backend."""
        if workload.loss not in LOSSES:
            return [Cell(workload.id, backend, [], "scripts/frameworks has no such loss") for backend in self.backends]
        calls: dict[str, Call] = {}
        absent: dict[str, str] = {}
        for backend in self.backends:
            key = backend, workload.loss, workload.dtype
            # The next workload may be so large that it takes minutes to see that again.
            if key in self.refuted:
                absent[backend] = self.refuted[key]
                continue
            try:
                calls[backend] = verified(backend, workload)
            except Differs as error:
                absent[backend] = str(error)
                self.refuted[key] = f"as in {workload.id}, {error}"
            except Unavailable as error:
                absent[backend] = str(error)
            # Whatever a compiler raises is the reason that it has no figures.
            except Exception as error:
                absent[backend] = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
        samples = alternate(calls)
        return [Cell(workload.id, name, samples.get(name, []), absent.get(name)) for name in self.backends]


def verified(backend: str, workload: Workload) -> Call:
    """A compiled call that has been seen to compute the loss."""
    inputs, answer = case(workload.loss, workload.shape, workload.shapes, workload.dtype)
    loss = LOSSES[workload.loss]
    call = BACKENDS[backend](loss, inputs, workload.gradient)
    if reason := difference(call(), answer, inputs[0].dtype, loss.tolerance):
        raise Differs(reason)
    return call


@functools.lru_cache(maxsize=1)
def case(loss: str, shape: Shape, shapes: tuple[tuple[str, Shape], ...], dtype: str) -> tuple[Inputs, list[np.ndarray]]:
    """The inputs and what PyTorch makes of them; remembered for both passes."""
    inputs = LOSSES[loss].draw(Draw(dtype, dict(shapes)), shape)
    return inputs, expected(LOSSES[loss], inputs)


def alternate(calls: Mapping[str, Call]) -> dict[str, list[float]]:
    """Nanoseconds of a call, a sample of each in turn, so that noise of the machine affects all of them."""
    counts = {name: calls_in_a_sample(call) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for _ in range(SAMPLES):
            for name, call in calls.items():
                samples[name].append(elapsed(call, counts[name]) / counts[name])
    finally:
        gc.enable()
    return samples


def calls_in_a_sample(call: Call) -> int:
    """Finding it out warms up as well; the call that compiled was that of the verification."""
    count, taken = 1, elapsed(call, 1)
    # A few calls are no measure of a short one.
    while taken < NANOSECONDS // 4:
        count *= 2
        taken = elapsed(call, count)
    return max(1, round(count * NANOSECONDS / taken))


def elapsed(call: Call, count: int) -> int:
    """The nanoseconds of so many calls."""
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return time.perf_counter_ns() - start
