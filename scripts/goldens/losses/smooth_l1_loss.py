from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss, name
from ..regression import Regression
from ..special import limits
from ..tensors import Stored

NAME = "smooth_l1_loss"


def cases() -> Iterator[Case]:
    settings = [{}, {"beta": 0.0}, {"beta": 0.1}, {"beta": 2.5}]
    # In f32, 0.1 is not the option's value but its rounding.
    regression = Regression(NAME, settings, flags={"beta=0.0": "smooth_l1_beta_zero"})
    yield from regression.cases()
    yield from regression.threshold("beta")
    yield from regression.invalid_option("beta", -0.5)
    for dtype, reduction in product(FLOATS, REDUCTIONS):
        large = limits(dtype).square_overflows
        settings = {"beta": 4 * large}
        input, target = Stored(dtype, (3,), [large, -large, 1.0]), Stored(dtype, (3,), [0.0, 2 * large, -1.0])
        case_id = name(NAME, dtype, "square_out_of_range", reduction)
        yield regression.case(case_id, ["square_out_of_range"], settings, reduction, input, target)
    for dtype in FLOATS:
        small = limits(dtype).smallest_subnormal
        # Broadcast and three in a row: that few PyTorch takes one by one, and its vectors divide before they multiply.
        input = Stored(dtype, (22, 3), [small * (64 + 3 * i) for i in range(66)])
        target = Stored(dtype, (22, 1), [0.0] * 22)
        case_id = name(NAME, dtype, "subnormal_product", "mean")
        yield regression.case(case_id, ["subnormal_product"], {"beta": 2.0**-10}, "mean", input, target)


LOSS = Loss(NAME, ("input", "target"), cases)
