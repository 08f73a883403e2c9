import math
from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss
from ..elements import Elements, uniform
from ..special import limits
from ..tensors import Stored

NAME = "gaussian_nll_loss"

ELEMENTS = Elements(
    loss=NAME,
    tensors={"input": uniform(-3, 3), "target": uniform(-3, 3), "var": uniform(0.1, 4)},
    settings=({}, {"full": True}, {"eps": 0.5}, {"eps": 0.5, "full": True}),
    shapes=(
        ((), (), ()),
        ((1,), (1,), ()),
        ((5,), (5,), (5,)),
        ((5,), (5,), (1,)),
        ((5,), (5,), ()),
        ((3, 4), (3, 4), (3, 4)),
        ((3, 4), (3, 4), (3,)),
        ((3, 4), (3, 4), (3, 1)),
        ((3, 4), (3, 4), (1, 4)),
        ((2, 3, 2), (2, 3, 2), (2, 3)),
        ((2, 3, 2), (2, 3, 2), (2, 1, 2)),
        ((3, 4), (4,), (3, 4)),
        ((4,), (3, 4), (4,)),
        ((3, 1), (1, 4), (3, 1)),
        ((1, 1), (1, 1), (1,)),
    ),
    empty=(((0,), (0,), (0,)), ((0, 3), (0, 3), (0, 3)), ((3, 0), (3, 0), (3,)), ((0, 3), (0, 3), (0,))),
    mismatched=(
        ((3, 4), (3, 4), (4,)),
        ((3, 4), (3, 4), ()),
        ((3, 4), (3, 4), (1,)),
        ((3, 4), (3, 4), (1, 1)),
        ((3, 4), (3, 4), (3, 4, 1)),
        ((3, 4), (3, 4), (3, 2)),
        ((), (), (1,)),
        ((3, 4), (3, 5), (3, 4)),
        ((3, 3), (3, 3), (2, 3)),
    ),
    large={"input": (-3, 3), "target": (-3, 3), "var": (0.1, 4)},
)


def cases() -> Iterator[Case]:
    for case in ELEMENTS.cases():
        if case.inputs["var"].shape == () and case.inputs["input"].shape != ():
            case = Case(case.id, (*case.flags, "scalar_variance"), case.options, case.inputs)
        if any(negative(value) for value in getattr(case.inputs["var"], "data", [])):
            case = Case(case.id, ("invalid", "negative_variance"), case.options, case.inputs)
        yield case
    for dtype, full in product(FLOATS, ({}, {"full": True})):
        values = {"input": [0.5, -1.0, 3.0, 1.0, 1.0], "target": [1.0, 2.0, 3.0, 1.0, 1.5]}
        data = values | {"var": [0.0, 1e-6, 1e-8, 0.0, 1e-12]}
        yield from ELEMENTS.given(dtype, "small_variance", ["clamped_variance"], full, data)
        near = {"input": [0.5, -1.0, 0.25], "target": [0.51, -1.0, 0.2441], "var": [0.0, 1e-8, 1e-7]}
        yield from ELEMENTS.given(dtype, "small_variance_and_difference", ["clamped_variance"], full, near)
        data = values | {"var": [0.5, 0.25, 0.75, 0.5, 0.1]}
        yield from ELEMENTS.given(dtype, "at_eps", ["clamped_variance"], {"eps": 0.5, **full}, data)
        data = values | {"var": [0.0, 1.0, 2.0, 0.0, 0.5]}
        yield from ELEMENTS.given(dtype, "zero_variance", ["zero_eps"], {"eps": 0.0, **full}, data)
        data = values | {"var": [0.25, 1.0, 2.0, 0.5, 0.5]}
        yield from ELEMENTS.given(dtype, "negative_eps", ["zero_eps"], {"eps": -1.0, **full}, data)
        # d^2 = v: the gradient of the variance vanishes.
        data = {"input": [1.5, 2.0, 0.1], "target": [1.0, 1.0, 0.0], "var": [0.25, 1.0, 0.01]}
        yield from ELEMENTS.given(dtype, "stationary", ["stationary_variance"], full, data)
        data = {"input": [1e-3, 1e3, 1e-6], "target": [0.0, 0.0, 0.0], "var": [1e-3, 1e6, 1e-5]}
        yield from ELEMENTS.given(dtype, "wide", ["wide"], full, data)
    for dtype in FLOATS:
        cotangent = Stored(dtype, (), [-29 * limits(dtype).smallest_subnormal])
        data = {"input": [85.0], "target": [3.0], "var": [1.4]}
        inputs = {key: Stored(dtype, (1,), values) for key, values in data.items()}
        options = {"reduction": "sum"}
        case_id = f"{NAME}/{dtype}/subnormal_cotangent/sum"
        yield Case(case_id, ("subnormal_cotangent",), options, inputs, cotangent=cotangent)
        # The square of the difference is out of range, its quotient by the variance is an eighth of the difference.
        d = math.sqrt(2 * limits(dtype).max)
        data = {"input": [d, 0.5], "target": [0.0, 0.25], "var": [8 * d, 0.5]}
        yield from ELEMENTS.given(dtype, "square_out_of_range", ["square_out_of_range"], {}, data)
    for dtype, reduction in product(FLOATS, REDUCTIONS):
        case_id = f"{NAME}/{dtype}/0+var=1/var=nan/{reduction}"
        nothing = Stored(dtype, (0,), [])
        inputs = {"input": nothing, "target": nothing, "var": Stored(dtype, (1,), [float("nan")])}
        yield ELEMENTS.case(case_id, ["empty_broadcast"], {}, reduction, inputs)
        case_id = f"{NAME}/{dtype}/negative_variance/{reduction}"
        data = {"input": [0.5, -1.0], "target": [1.0, 2.0], "var": [1.0, min(-1e-9, -limits(dtype).smallest_subnormal)]}
        inputs = {key: Stored(dtype, (2,), values) for key, values in data.items()}
        yield ELEMENTS.case(case_id, ["invalid", "negative_variance"], {}, reduction, inputs)


def negative(value: float) -> bool:
    return value < 0


LOSS = Loss(NAME, ("input", "target", "var"), cases)
