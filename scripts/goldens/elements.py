"""What the losses of single elements share, whatever their tensors: shapes, special values, sizes, mismatches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .case import FLOATS, REDUCTIONS, Case, Options, label, name, options_name, shape_name
from .draw import Draw
from .special import edges
from .tensors import Shape, Stored, Tensor

Drawn = Callable[[Draw, str, str, Shape], Stored]
Shapes = tuple[Shape, ...]

PAIRS: tuple[Shapes, ...] = (
    ((), ()),
    ((5,), (5,)),
    ((3, 4), (3, 4)),
    ((2, 3, 2), (2, 3, 2)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((3, 4), ()),
    ((2, 3, 2), (3, 1)),
)
EMPTY_PAIRS: tuple[Shapes, ...] = (((0,), (0,)), ((0, 3), (0, 3)), ((3, 0), (3, 0)), ((0, 3), (3,)))
MISMATCHED_PAIRS: tuple[Shapes, ...] = (((3,), (4,)), ((2, 3), (2,)), ((2, 3), (3, 2)), ((0, 3), (2, 3)))


def uniform(low: float, high: float, digits: int = 4) -> Drawn:
    return lambda draw, key, dtype, shape: draw.uniform(key, dtype, shape, low, high, digits)


def signs(draw: Draw, key: str, dtype: str, shape: Shape) -> Stored:
    """Labels: 1 or -1."""
    return Stored(dtype, shape, [2.0 * bit - 1.0 for bit in draw.integers(key, "i64", shape, 0, 2).data])


@dataclass(frozen=True)
class Elements:
    """The cases of one loss. Shapes are in the order of the tensors; the first setting is that of all but the ordinary
    cases."""

    loss: str
    tensors: Mapping[str, Drawn]
    settings: Sequence[Options]
    shapes: Sequence[Shapes]
    empty: Sequence[Shapes]
    mismatched: Sequence[Shapes]
    large: Mapping[str, tuple[float, float]]
    reductions: Sequence[str] = REDUCTIONS

    def cases(self) -> Iterator[Case]:
        for dtype in FLOATS:
            for settings in self.settings:
                for reduction in self.reductions:
                    for shapes in self.shapes:
                        flags = ["options"] + ["broadcast"] * (len(set(shapes)) > 1) + ["scalar"] * (() in shapes)
                        yield self.drawn(dtype, flags, settings, reduction, shapes)
            yield from self.edges(dtype)
            for reduction in self.reductions:
                for shapes in self.empty:
                    flags = ["empty"] + ["broadcast"] * (len(set(shapes)) > 1)
                    yield self.drawn(dtype, flags, self.settings[0], reduction, shapes)
            for shapes in self.mismatched:
                for reduction in ("none", "mean"):
                    yield self.drawn(dtype, ["invalid", "shape_mismatch"], self.settings[0], reduction, shapes)
            yield from self.many(dtype)

    def case(
        self, case_id: str, flags: Sequence[str], settings: Options, reduction: str, inputs: Mapping[str, Tensor]
    ) -> Case:
        return Case(case_id, tuple(flags), {**settings, "reduction": reduction}, inputs)

    def drawn(
        self, dtype: str, flags: Sequence[str], settings: Options, reduction: str, shapes: Shapes, variant: str = ""
    ) -> Case:
        case_id = name(self.loss, dtype, variant, self.shapes_name(shapes), options_name(settings), reduction)
        draw = Draw(case_id)
        inputs = {key: fill(draw, key, dtype, shape) for (key, fill), shape in zip(self.tensors.items(), shapes)}
        return self.case(case_id, flags, settings, reduction, inputs)

    def shapes_name(self, shapes: Shapes) -> str:
        first, *rest = shapes
        others = zip(list(self.tensors)[1:], rest)
        return label(shape_name(first), *(f"{key}={shape_name(shape)}" for key, shape in others if shape != first))

    def edges(self, dtype: str) -> Iterator[Case]:
        """Each special value in the middle of each tensor, and in all of them."""
        for settings in self.settings:
            for flag, value_name, value in edges(dtype):
                for place in self.tensors:
                    for reduction in ("none", "mean"):
                        case_id = name(self.loss, dtype, f"{place}={value_name}", options_name(settings), reduction)
                        yield self.placed(case_id, [flag], settings, reduction, {place: value})

    def placed(
        self, case_id: str, flags: Sequence[str], settings: Options, reduction: str, values: Mapping[str, float]
    ) -> Case:
        """Three elements, the middle ones of the named tensors given."""
        dtype = case_id.split("/")[1]
        draw = Draw(case_id)
        inputs = {key: fill(draw, key, dtype, (3,)) for key, fill in self.tensors.items()}
        for key, value in values.items():
            before, _, after = inputs[key].data
            inputs[key] = Stored(dtype, (3,), [before, value, after])
        return self.case(case_id, flags, settings, reduction, inputs)

    def given(
        self, dtype: str, variant: str, flags: Sequence[str], settings: Options, data: Mapping[str, Sequence[float]]
    ) -> Iterator[Case]:
        """Vectors of the given elements, in every reduction."""
        for reduction in self.reductions:
            case_id = name(self.loss, dtype, variant, options_name(settings), reduction)
            inputs = {key: Stored(dtype, (len(values),), list(values)) for key, values in data.items()}
            yield self.case(case_id, flags, settings, reduction, inputs)

    def many(self, dtype: str) -> Iterator[Case]:
        for reduction in ("mean", "sum") if self.large else ():
            case_id = name(self.loss, dtype, "large", reduction)
            draw = Draw(case_id)
            inputs = {key: draw.seeded(key, dtype, (50_001,), *bounds) for key, bounds in self.large.items()}
            yield self.case(case_id, ["large"], self.settings[0], reduction, inputs)
