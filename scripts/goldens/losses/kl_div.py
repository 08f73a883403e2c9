from collections.abc import Iterator

from ..case import FLOATS, REDUCTIONS, Case, Loss
from ..elements import EMPTY_PAIRS, MISMATCHED_PAIRS, PAIRS, Elements, uniform
from ..tensors import Stored

NAME = "kl_div"

REDUCTIONS_OF_KL = (*REDUCTIONS, "batchmean")
# The gradient of the target has no zero in it: those are cases of their own.
PLAIN = Elements(
    loss=NAME,
    tensors={"input": uniform(-6, -0.05), "target": uniform(0.02, 1)},
    settings=({},),
    shapes=PAIRS,
    empty=EMPTY_PAIRS,
    mismatched=MISMATCHED_PAIRS,
    large={"input": (-8, 0), "target": (0.001, 1)},
    reductions=REDUCTIONS_OF_KL,
)
LOGARITHMIC = Elements(
    loss=NAME,
    tensors={"input": uniform(-6, -0.05), "target": uniform(-6, -0.05)},
    settings=({"log_target": True},),
    shapes=PAIRS,
    empty=(),
    mismatched=(),
    large={},
    reductions=REDUCTIONS_OF_KL,
)


def cases() -> Iterator[Case]:
    yield from PLAIN.cases()
    yield from LOGARITHMIC.cases()
    for dtype in FLOATS:
        data = {"input": [-0.5, -3.0, 0.0, -1.0], "target": [0.0, -0.0, 0.0, 0.25]}
        yield from PLAIN.given(dtype, "zero_target", ["zero_target"], {}, data)
        data = {"input": [float("-inf"), -1.0, -2.0], "target": [0.0, 0.5, 0.5]}
        yield from PLAIN.given(dtype, "masked_class", ["soft_target_zero_times_infinity"], {}, data)
        data = {"input": [-0.5, -3.0, -1.0], "target": [-0.25, 0.5, -1.0]}
        yield from PLAIN.given(dtype, "negative_target", ["negative_probability"], {}, data)
        data = {"input": [0.5, 3.0, 1.0], "target": [0.25, 0.5, 1.0]}
        yield from PLAIN.given(dtype, "positive_input", ["unnormalised_target"], {}, data)
        data = {"input": [-0.5, -3.0, -1.0], "target": [1.5, 20.0, 1e6]}
        yield from PLAIN.given(dtype, "target_above_1", ["unnormalised_target"], {}, data)
        logs = [-0.6875, -3.0, -1e-6, -20.0]
        data = {"input": [x * (1 + 1e-4) for x in logs], "target": logs}
        yield from LOGARITHMIC.given(dtype, "near", ["near"], {"log_target": True}, data)
        data = {"input": [-100.0, -3.0, -200.0], "target": [-100.0, -120.0, -1000.0]}
        yield from LOGARITHMIC.given(dtype, "tiny_probability", ["extreme_probability"], {"log_target": True}, data)
        for reduction in REDUCTIONS_OF_KL:
            inputs = {"input": Stored(dtype, (0,), []), "target": Stored(dtype, (), [0.0])}
            case_id = f"{NAME}/{dtype}/0+target=scalar/zero_target/{reduction}"
            yield PLAIN.case(case_id, ["empty_broadcast"], {}, reduction, inputs)
        for reduction in ("none", "mean"):
            inputs = {"input": Stored(dtype, (2,), [-0.5, -2.0]), "target": Stored("i64", (2,), [0, 1])}
            case_id = f"{NAME}/{dtype}/target=i64/{reduction}"
            yield PLAIN.case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)
    # In f16 the cotangent times e^-9.75 is less than half of the smallest number.
    inputs = {"input": Stored("f16", (60,), [-10.625] * 60), "target": Stored("f16", (), [-9.75])}
    options = {"log_target": True, "reduction": "sum"}
    cotangent = Stored("f16", (), [0.00048])
    yield Case(f"{NAME}/f16/60+target=scalar/subnormal_share/sum", ("subnormal_share",), options, inputs, cotangent=cotangent)


LOSS = Loss(NAME, ("input", "target"), cases)
