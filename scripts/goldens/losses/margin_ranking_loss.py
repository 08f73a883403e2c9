from collections.abc import Iterator
from itertools import product

from ..case import FLOATS, REDUCTIONS, Case, Loss
from ..elements import Elements, signs, uniform

NAME = "margin_ranking_loss"

ELEMENTS = Elements(
    loss=NAME,
    tensors={"input1": uniform(-3, 3), "input2": uniform(-3, 3), "target": signs},
    settings=({}, {"margin": 0.3}, {"margin": 2.5}, {"margin": -0.5}),
    shapes=(
        ((), (), ()),
        ((5,), (5,), (5,)),
        ((3, 4), (3, 4), (3, 4)),
        ((2, 3, 2), (2, 3, 2), (2, 3, 2)),
        ((3, 4), (3, 4), (3, 1)),
        ((3, 1), (1, 4), (1, 4)),
        ((1,), (5,), (1,)),
    ),
    empty=(((0,), (0,), (0,)), ((0, 3), (0, 3), (0, 3)), ((0, 3), (1, 3), (0, 1))),
    mismatched=(
        ((3,), (4,), (3,)),
        ((3, 4), (4,), (3, 4)),
        ((3, 4), (3, 4), (3,)),
        ((3,), (), (3,)),
        ((3,), (3,), (2,)),
    ),
    large={"input1": (-3, 3), "input2": (-3, 3), "target": (-1, 1)},
)


def cases() -> Iterator[Case]:
    yield from ELEMENTS.cases()
    for dtype in FLOATS:
        for margin in (0.0, 0.5, -0.5):
            scores = [1.5, -2.0, 0.0, 1.5, 2.0]
            data = {
                "input1": [score + margin for score in scores],
                "input2": scores,
                "target": [1.0, 1.0, 1.0, -1.0, -1.0],
            }
            yield from ELEMENTS.given(dtype, "kink", ["hinge_kink"], {"margin": margin}, data)
        for margin, reduction in product((0.0, 0.5), REDUCTIONS):
            shapes = ((3, 1), (3, 4), (3, 1))
            yield ELEMENTS.drawn(dtype, ["ranked_columns"], {"margin": margin}, reduction, shapes)
        for place in ("both=inf", "both=-inf", "opposite=inf"):
            sign = float("-inf") if "-" in place else float("inf")
            values = {"input1": sign, "input2": -sign if place.startswith("opposite") else sign}
            for reduction in ("none", "mean"):
                case_id = f"{NAME}/{dtype}/{place}/{reduction}"
                yield ELEMENTS.placed(case_id, ["edge_infinite"], {}, reduction, values)
        data = {"input1": [0.25, 0.25, 2.0], "input2": [1.0, -1.0, 0.5], "target": [0.0, 0.5, -2.0]}
        yield from ELEMENTS.given(dtype, "odd_labels", ["odd_label"], {}, data)


LOSS = Loss(NAME, ("input1", "input2", "target"), cases)
