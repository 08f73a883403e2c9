import math
from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss, name
from ..elements import EMPTY_PAIRS, MISMATCHED_PAIRS, PAIRS, Elements, uniform
from ..special import limits
from ..tensors import Stored

NAME = "poisson_nll_loss"

LOG = Elements(
    loss=NAME,
    tensors={"input": uniform(-3, 3), "target": uniform(0.05, 8)},
    settings=({}, {"full": True}),
    shapes=PAIRS,
    empty=EMPTY_PAIRS,
    mismatched=MISMATCHED_PAIRS,
    large={"input": (-3, 3), "target": (0, 8)},
)
RATE = Elements(
    loss=NAME,
    tensors={"input": uniform(0.05, 8), "target": uniform(0.05, 8)},
    settings=[
        {"log_input": False, **more} for more in ({}, {"full": True}, {"eps": 0.01}, {"eps": 0.01, "full": True}, {"eps": 0.0}, {"eps": 0.0, "full": True})
    ],
    shapes=PAIRS,
    empty=(),
    mismatched=(),
    large={},
)


def cases() -> Iterator[Case]:
    yield from LOG.cases()
    yield from RATE.cases()
    for dtype in FLOATS:
        for full in ({}, {"full": True}):
            data = {"input": [0.5, -1.0, 2.0, 0.0], "target": [0.0, 0.0, 1.0, 1.0]}
            yield from LOG.given(dtype, "target_0_and_1", ["stirling"], full, data)
            data = {"input": [0.5, -1.0, 2.0, 0.25], "target": [1.0000001, 1.0001, 0.9999, 2.0]}
            yield from LOG.given(dtype, "around_1", ["stirling"], full, data)
            data = {"input": [0.5, -1.0, 2.0, 0.25], "target": [-0.5, -2.0, 0.5, 3.0]}
            yield from LOG.given(dtype, "negative_target", ["negative_count"], full, data)
        # e^x - 1 keeps its digits near 0.
        for x, sign in product((1e-2, 1e-4, 1e-6, 1e-8, 1e-12), (1, -1)):
            data = {"input": [sign * x], "target": [1.0]}
            yield from LOG.given(dtype, f"x={sign * x}", ["confident"], {}, data)
        for x in (-100.0, -30.0, 30.0, 80.0, 88.5, 89.0, 700.0, 710.0):
            data = {"input": [x, x, 0.5], "target": [0.0, 2.0, 1.0]}
            yield from LOG.given(dtype, f"x={x}", ["confident"], {}, data)
        for reduction in REDUCTIONS:
            for x in (1000.0, math.nan):
                inputs = {"input": Stored(dtype, (), [x]), "target": Stored(dtype, (0,), [])}
                case_id = f"{NAME}/{dtype}/scalar+target=0/x={x}/{reduction}"
                yield LOG.case(case_id, ["empty_broadcast"], {}, reduction, inputs)
            inputs = {"input": Stored(dtype, (), [math.nan]), "target": Stored(dtype, (0,), [])}
            case_id = f"{NAME}/{dtype}/scalar+target=0/x=nan/log_input=False/{reduction}"
            yield RATE.case(case_id, ["empty_broadcast"], {"log_input": False}, reduction, inputs)
            inputs = {"input": Stored(dtype, (0,), []), "target": Stored(dtype, (), [math.nan])}
            case_id = f"{NAME}/{dtype}/0+target=scalar/target=nan/full=True/{reduction}"
            yield LOG.case(case_id, ["empty_broadcast"], {"full": True}, reduction, inputs)
            inputs = {"input": Stored(dtype, (), [0.0]), "target": Stored(dtype, (2,), [0.0, 1.0])}
            case_id = f"{NAME}/{dtype}/scalar+target=2/x=0.0/{reduction}"
            yield RATE.case(case_id, ["zero_rate"], {"log_input": False, "eps": 0.0}, reduction, inputs)
        for eps in ({}, {"eps": 0.0}, {"eps": 0.01}):
            settings = {"log_input": False, **eps}
            data = {"input": [0.0, 0.0, 1e-9, 1e-6], "target": [0.0, 1.0, 2.0, 0.5]}
            yield from RATE.given(dtype, "zero_rate", ["zero_rate"], settings, data)
            data = {"input": [-0.5, -2.0, 1.0], "target": [0.0, 1.0, 2.0]}
            yield from RATE.given(dtype, "negative_rate", ["negative_rate"], settings, data)
            data = {"input": [2.0, 2.0001, 1.9999, 7.0], "target": [2.0, 2.0, 2.0, 7.0]}
            yield from RATE.given(dtype, "near", ["near"], settings, data)
        if dtype == "f16":
            inputs = {"input": Stored(dtype, (3,), [8.0, 0.5, -1.0]), "target": Stored(dtype, (3,), [1.0, 0.0, 2.0])}
            case_id = name(NAME, dtype, "subnormal_share", "mean")
            yield Case(case_id, ("subnormal_share",), {"reduction": "mean"}, inputs, cotangent=Stored(dtype, (), [3e-6]))
        of = limits(dtype)
        inputs = {"input": Stored(dtype, (2,), [64 * of.tiny, 8.0]), "target": Stored(dtype, (2,), [26 * of.tiny, 2.0])}
        cotangent = Stored(dtype, (), [5.4 / 26 * of.eps])
        options = {"log_input": False, "eps": 0.0, "reduction": "sum"}
        case_id = name(NAME, dtype, "subnormal_count", "eps=0.0+log_input=False", "sum")
        yield Case(case_id, ("subnormal_count",), options, inputs, cotangent=cotangent)
        settings = {"log_input": False, "eps": 0.07}
        data = {"input": [-0.07, -0.07], "target": [0.0, 1.0]}
        yield from RATE.given(dtype, "rate_of_minus_eps", ["rate_of_minus_eps"], settings, data)


LOSS = Loss(NAME, ("input", "target"), cases)
