"""What the triplet losses share."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from .case import FLOATS, MANY, REDUCTIONS, Case, Options, name, options_name
from .draw import Draw
from .elements import Elements, Shapes, uniform
from .labels import matrix
from .special import edges, limits
from .tensors import Stored

SHAPES: tuple[Shapes, ...] = (
    ((3, 4), (3, 4), (3, 4)),
    ((5, 2), (5, 2), (5, 2)),
    ((2, 1), (2, 1), (2, 1)),
    ((4,), (4,), (4,)),
    ((2, 3, 2), (2, 3, 2), (2, 3, 2)),
    ((3, 4), (1, 4), (3, 4)),
    ((1, 4), (1, 4), (3, 4)),
    ((3, 4), (3, 4), (3, 1)),
)


Vector = tuple[float, ...]


def plus(a: Vector, b: Vector) -> Vector:
    return tuple(x + y for x, y in zip(a, b, strict=True))


@dataclass(frozen=True)
class Triplets:
    loss: str
    settings: Sequence[Options]
    # Those that the special values get.
    special: Sequence[Options]
    has_eps: bool
    # Those that put the distances of `at_the_kink` at the margin.
    kinks: Sequence[Options]

    def elements(self) -> Elements:
        drawn = uniform(-2, 2)
        return Elements(
            loss=self.loss,
            tensors={"anchor": drawn, "positive": drawn, "negative": drawn},
            settings=self.settings,
            shapes=SHAPES,
            empty=(((0, 4),) * 3, ((3, 0),) * 3),
            mismatched=(((4,), (3, 4), (3, 4)), ((3, 4), (4, 4), (3, 4)), ((3, 4), (3, 3), (3, 4)), ((), (3,), (3,))),
            large={},
        )

    def cases(self) -> Iterator[Case]:
        elements = self.elements()
        for dtype in FLOATS:
            for settings, reduction, shapes in product(self.settings, REDUCTIONS, SHAPES):
                flags = ["options"] + ["broadcast"] * (len(set(shapes)) > 1) + self.flags(settings)
                yield elements.drawn(dtype, flags, settings, reduction, shapes)
            for reduction in REDUCTIONS:
                for shapes in elements.empty:
                    yield elements.drawn(dtype, ["empty"], {}, reduction, shapes)
                if self.has_eps:
                    for p in (math.inf, -math.inf):
                        yield elements.drawn(dtype, ["invalid", "empty_norm"], {"p": p}, reduction, ((3, 0),) * 3)
                yield elements.drawn(dtype, ["stretched_vector"], {}, reduction, ((3, 1), (3, 1), (3, 4)))
                yield elements.drawn(dtype, ["scalar_vector"], {}, reduction, ((), (), ()))
            for shapes, reduction in product(elements.mismatched, ("none", "mean")):
                yield elements.drawn(dtype, ["invalid", "shape_mismatch"], {}, reduction, shapes)
            for margin, reduction in product((0.0, -1.0), ("none", "mean")):
                flags = ["invalid", "margin_not_positive"]
                yield elements.drawn(dtype, flags, {"margin": margin}, reduction, ((3, 4),) * 3)
            for settings in self.special:
                yield from self.special_values(elements, dtype, settings)
            for reduction in ("mean", "sum"):
                case_id = name(self.loss, dtype, "large", reduction)
                draw = Draw(case_id)
                inputs = {key: draw.seeded(key, dtype, (500, 100), -2, 2) for key in elements.tensors}
                yield elements.case(case_id, ["large"], {}, reduction, inputs)
            case_id = name(self.loss, dtype, "many", "mean")
            draw = Draw(case_id)
            inputs = {key: draw.seeded(key, dtype, (MANY, 2), -2, 2) for key in elements.tensors}
            yield elements.case(case_id, ["many_samples"], {}, "mean", inputs)
            for settings, swap, reduction in product(self.kinks, ({}, {"swap": True}), REDUCTIONS):
                yield self.at_the_kink(elements, dtype, {**settings, **swap}, reduction)

    def at_the_kink(self, elements: Elements, dtype: str, settings: Options, reduction: str) -> Case:
        """Returns five triplets of which some have a hinge of exactly 0, without rounding in any dtype.

        The difference of anchor and positive has length 11 by its elements, 7 in the Euclidean norm and 6 by its largest
        element. The other difference has lengths 17, 11 and 9. Both are in quarters.
        """
        near, far = (0.5, 0.75, 1.5), (0.5, 1.5, 2.25)
        anchor, opposite = (0.5, -1.25, 0.75), (-0.5, -1.5, -2.25)
        rows = [
            # The hinge is 0 with the distance of the anchor and the negative.
            (anchor, plus(anchor, near), plus(anchor, opposite)),
            # With swap, the hinge is 0 with the distance of the positive and the negative. Otherwise it is below 0.
            (anchor, plus(anchor, near), plus(plus(anchor, near), far)),
            # The hinge is above 0.
            (anchor, plus(anchor, near), plus(anchor, tuple(-x / 2 for x in near))),
            # The hinge is below 0.
            (anchor, plus(anchor, near), plus(anchor, tuple(8 * x for x in opposite))),
            # As the first, with anchor and positive mirrored.
            (plus(anchor, near), anchor, plus(plus(anchor, near), far)),
        ]
        case_id = name(self.loss, dtype, "kink", options_name(settings), reduction)
        inputs = {key: matrix(dtype, [row[i] for row in rows]) for i, key in enumerate(elements.tensors)}
        return elements.case(case_id, ["hinge_kink"], settings, reduction, inputs)

    def flags(self, settings: Options) -> list[str]:
        # The norm of degree 0 has no graph in PyTorch.
        return ["backward_fails"] if settings.get("p") == 0.0 else []

    def special_values(self, elements: Elements, dtype: str, settings: Options) -> Iterator[Case]:
        plain = {
            "anchor": [[0.5, -1.25, 0.75], [1.5, 0.25, -0.5]],
            "positive": [[0.25, -1.5, 0.5], [-1.0, 0.75, 0.125]],
            "negative": [[1.0, 1.25, -0.75], [2.0, -0.25, 0.5]],
        }
        wide = {**settings, "margin": 20.0}

        def given(
            variant: str, flags: Sequence[str], data: Mapping[str, Sequence[Sequence[float]]], settings: Options
        ) -> Iterator[Case]:
            for reduction in ("none", "mean"):
                case_id = name(self.loss, dtype, variant, options_name(settings), reduction)
                inputs: dict[str, Stored] = {key: matrix(dtype, rows) for key, rows in {**plain, **data}.items()}
                yield elements.case(case_id, flags, settings, reduction, inputs)

        for flag, text, value in edges(dtype):
            for key in plain:
                rows = [[plain[key][0][0], value, plain[key][0][2]], plain[key][1]]
                yield from given(f"{key}={text}", [flag], {key: rows}, wide)
        yield from given("anchor_is_positive", ["zero_distance"], {"positive": plain["anchor"]}, wide)
        yield from given("anchor_is_negative", ["zero_distance"], {"negative": plain["anchor"]}, wide)
        same = {"positive": plain["anchor"], "negative": plain["anchor"]}
        yield from given("all_the_same", ["zero_distance"], same, wide)
        yield from given("partly_the_same", ["zero_distance"], {"positive": [[0.5, -1.5, 0.75], [1.5, 0.25, 1.0]]}, wide)
        for size in (limits(dtype).square_overflows, limits(dtype).square_underflows):
            scaled = {key: [[size * x for x in row] for row in rows] for key, rows in plain.items()}
            if settings.get("eps", 0.0) == 0.0 and ("eps" in settings) == self.has_eps:
                text = f"{size:.0e}".replace("+", "")
                yield from given(f"scaled={text}", ["power_out_of_range"], scaled, settings)
        yield from given("far_negative", ["inactive"], {"negative": [[50.0, 0.0, 0.0], [0.0, -80.0, 9.0]]}, settings)
