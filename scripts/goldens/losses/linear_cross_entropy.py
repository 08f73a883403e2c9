import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import torch

from ..case import FLOATS, MANY, REDUCTIONS, Case, Loss, Options, given, label, name, options_name, shape_name
from ..classes import DEFAULT_IGNORE, class_weights, indices
from ..draw import Draw
from ..special import edges
from ..tensors import Shape, Stored, Tensor
from .cross_entropy import distribution

NAME = "linear_cross_entropy"
# Input and linear weight.
LAYOUTS: dict[str, tuple[Shape, Shape]] = {
    "k": ((4,), (5, 4)),
    "nk": ((3, 4), (5, 4)),
    "nk+ckd": ((2, 4), (3, 2, 4)),
    "nk+ckdd": ((2, 3), (4, 2, 2, 3)),
}


def function(*, batch_chunk_size: int | None = None, **arguments: torch.Tensor | float | str) -> torch.Tensor:
    """Data names the chunk size alone of what PyTorch wraps in an object."""
    options = None
    if batch_chunk_size is not None:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=batch_chunk_size, chunking_method=None)
    return torch.nn.functional.linear_cross_entropy(**arguments, options=options)


# Two numbers whose product is out of range, though neither comes near the end of it.
OUT_OF_RANGE = {
    "f16": (1798.0, 37.46875),
    "bf16": (2.0**102, 2.0**27),
    "f32": (2.0**102, 2.0**27),
    "f64": (2.0**998, 2.0**27),
}


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield from ordinary(dtype)
        yield from chunks(dtype)
        yield from constant_probabilities(dtype)
        yield from special(dtype)
        yield from ignored(dtype)
        yield from degenerate(dtype)
        yield from large(dtype)
        yield from invalid(dtype)


def case(
    case_id: str, flags: Sequence[str], options: Options, reduction: str, inputs: Mapping[str, Tensor]
) -> Case:
    return Case(case_id, tuple(flags), {**options, "reduction": reduction}, inputs)


def scores_shape(input: Shape, linear_weight: Shape) -> Shape:
    return (*input[:-1], *linear_weight[:-1])


def layer(draw: Draw, dtype: str, input: Shape, linear_weight: Shape, biased: bool) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {
        "input": draw.uniform("input", dtype, input, -2, 2),
        "linear_weight": draw.uniform("linear_weight", dtype, linear_weight, -1.5, 1.5),
    }
    if biased:
        tensors["linear_bias"] = draw.uniform("linear_bias", dtype, linear_weight[:-1], -1, 1)
    return tensors


def ordinary(dtype: str) -> Iterator[Case]:
    kinds = ("", "weight", "weight_zero", "weight_negative")
    for (layout, shapes), biased, kind, smoothing, target, reduction in product(
        LAYOUTS.items(), (False, True), kinds, (None, 0.1), ("indices", "ignored", "probabilities"), REDUCTIONS
    ):
        if kind in kinds[2:] and layout != "nk" or (layout, target) == ("k", "ignored"):
            continue
        options = given(label_smoothing=smoothing)
        case_id = name(NAME, dtype, layout, label(target, "bias" * biased, kind, options_name(options)), reduction)
        draw = Draw(case_id)
        scores = scores_shape(*shapes)
        inputs = layer(draw, dtype, *shapes, biased)
        if target == "probabilities":
            inputs["target"] = distribution(draw, dtype, scores)
        else:
            inputs["target"] = indices(draw, "i64", scores, DEFAULT_IGNORE if target == "ignored" else None)
        if kind:
            inputs["weight"] = class_weights(draw, dtype, shapes[1][0], kind)
        flags = ["options"] + ["negative_weight"] * (kind == "weight_negative")
        if kind and target == "ignored" and smoothing:
            flags.append("weight_smoothing_ignore")
        yield case(case_id, flags, options, reduction, inputs)


def chunks(dtype: str) -> Iterator[Case]:
    for size, (biased, weighted), ignore, reduction in product(
        (1, 2, 8), ((False, False), (True, True)), (None, 1), REDUCTIONS
    ):
        options = given(batch_chunk_size=size, ignore_index=ignore)
        title = label("bias" * biased, "weight" * weighted, options_name(options))
        case_id = name(NAME, dtype, "chunks", title, reduction)
        draw = Draw(case_id)
        inputs = layer(draw, dtype, (5, 4), (3, 4), biased)
        inputs["target"] = indices(draw, "i64", (5, 3), ignore)
        if weighted:
            inputs["weight"] = class_weights(draw, dtype, 3, "weight")
        flags = ["chunks"] + ["ignore_index_in_range"] * (ignore is not None)
        yield case(case_id, flags, options, reduction, inputs)


def constant_probabilities(dtype: str) -> Iterator[Case]:
    """Yields target probabilities that need no gradient: PyTorch works in chunks on these alone."""

    def constant(
        title: str, flags: Sequence[str], options: Options, reduction: str, inputs: Mapping[str, Tensor]
    ) -> Case:
        case_id = name(NAME, dtype, "constant_probabilities", title, reduction)
        flags = ("constant_target", *flags)
        return Case(case_id, flags, {**options, "reduction": reduction}, inputs, constants=("target",))

    # With label smoothing, PyTorch never works in chunks.
    for (size, smoothing), (biased, weighted), reduction in product(
        ((None, None), (None, 0.1), (1, None), (2, None)), product((False, True), repeat=2), REDUCTIONS
    ):
        options = given(batch_chunk_size=size, label_smoothing=smoothing)
        title = label("bias" * biased, "weight" * weighted, options_name(options))
        draw = Draw(name(NAME, dtype, "constant_probabilities", title, reduction))
        inputs = layer(draw, dtype, (5, 4), (3, 4), biased)
        inputs["target"] = distribution(draw, dtype, (5, 3))
        if weighted:
            inputs["weight"] = class_weights(draw, dtype, 3, "weight")
        flags = ["chunks"] if size else ["options"]
        yield constant(title, flags, options, reduction, inputs)
    # The infinite weight is that of the likeliest class in the first row, and of another in the others.
    for size, reduction in product((None, 2), REDUCTIONS):
        options = given(batch_chunk_size=size)
        title = label("weight=inf", options_name(options))
        inputs = {
            "input": Stored(dtype, (3, 2), [1.5, 0.25, 0.5, -1.25, -0.75, 1.0]),
            "linear_weight": Stored(dtype, (3, 2), [1.0, 0.5, -0.75, 1.25, 0.25, -1.5]),
            "target": Stored(dtype, (3, 3), [0.2, 0.3, 0.5] * 3),
            "weight": Stored(dtype, (3,), [math.inf, 1.0, 1.0]),
        }
        yield constant(title, ["edge_infinite"], options, reduction, inputs)


def explicit(
    dtype: str, title: str, flags: Sequence[str], options: Options, changed: Mapping[str, Stored]
) -> Iterator[Case]:
    """A layer, written out, with some of its tensors changed."""
    plain = {
        "input": Stored(dtype, (3, 2), [0.5, -1.25, 1.5, 0.25, -0.75, 1.0]),
        "linear_weight": Stored(dtype, (3, 2), [1.0, 0.5, -0.75, 1.25, 0.25, -1.5]),
        "linear_bias": Stored(dtype, (3,), [0.125, -0.25, 0.5]),
        "target": Stored("i64", (3,), [0, 2, 1]),
    }
    for reduction in ("none", "mean"):
        case_id = name(NAME, dtype, label(title, options_name(options)), reduction)
        yield case(case_id, flags, options, reduction, {**plain, **changed})


def special(dtype: str) -> Iterator[Case]:
    for (flag, text, value), chunk in product(edges(dtype), (None, 2)):
        options = given(batch_chunk_size=chunk)
        input = Stored(dtype, (3, 2), [0.5, value, 1.5, 0.25, -0.75, 1.0])
        yield from explicit(dtype, f"input={text}", [flag], options, {"input": input})
        weight = Stored(dtype, (3, 2), [1.0, 0.5, value, 1.25, 0.25, -1.5])
        yield from explicit(dtype, f"linear_weight={text}", [flag], options, {"linear_weight": weight})
        bias = Stored(dtype, (3,), [0.125, value, 0.5])
        yield from explicit(dtype, f"linear_bias={text}", [flag], options, {"linear_bias": bias})
    for margin in (16.0, 32.0, 100.0):
        bias = Stored(dtype, (3,), [margin, 0.0, 0.0])
        changed = {"linear_bias": bias, "target": Stored("i64", (3,), [0, 0, 1])}
        yield from explicit(dtype, f"confident={margin}", ["confident"], {}, changed)
    # Scores that are sums of large numbers of both signs.
    cancelling = Stored(dtype, (3, 2), [1000.0, -999.5, 500.25, 500.0, -250.0, 249.75])
    weight = Stored(dtype, (3, 2), [1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    yield from explicit(dtype, "cancelling", ["cancelling_scores"], {}, {"input": cancelling, "linear_weight": weight})
    yield from explicit(dtype, "smoothing", ["negative_label_smoothing"], {"label_smoothing": -0.1}, {})
    changed = {
        "input": Stored(dtype, (3, 2), [30.0, 0.0, 0.5, 1.0, -0.5, 0.25]),
        "linear_weight": Stored(dtype, (3, 2), [0.0, 1.0, -50.0, 0.5, -0.25, 1.0]),
        "target": Stored("i64", (3,), [0, 0, 2]),
        "weight": Stored(dtype, (3,), [0.0625, 16.0, 0.125]),
    }
    yield from explicit(dtype, "unlikely_class", ["smoothing_out_of_range"], {"label_smoothing": 0.01}, changed)


def ignored(dtype: str) -> Iterator[Case]:
    for smoothing, chunk in ((None, None), (0.1, None), (None, 2)):
        options = given(label_smoothing=smoothing, batch_chunk_size=chunk)
        nothing = {"target": Stored("i64", (3,), [DEFAULT_IGNORE] * 3)}
        yield from explicit(dtype, "all_ignored", ["all_ignored"], options, nothing)
        for text, value in (("nan", math.nan), ("inf", math.inf)):
            changed = {
                "input": Stored(dtype, (3, 2), [0.5, -1.25, value, 0.25, -0.75, 1.0]),
                "target": Stored("i64", (3,), [0, DEFAULT_IGNORE, 1]),
            }
            yield from explicit(dtype, f"ignored_row={text}", ["ignored_nonfinite_row"], options, changed)
    x, w = OUT_OF_RANGE[dtype]
    changed = {
        "input": Stored(dtype, (3, 2), [0.5, -1.25, x, 0.0, -0.75, 1.0]),
        "linear_weight": Stored(dtype, (3, 2), [1.0, 0.5, -0.75, 1.25, w, -1.5]),
        "target": Stored("i64", (3,), [0, DEFAULT_IGNORE, 1]),
    }
    yield from explicit(dtype, "ignored_row=large", ["large_score"], {}, changed)
    for smoothing in (None, 0.1):
        weightless = {"weight": Stored(dtype, (3,), [0.0, 1.5, 0.5]), "target": Stored("i64", (3,), [0, 0, 0])}
        options = given(label_smoothing=smoothing)
        yield from explicit(dtype, "weight_sum=zero", ["zero_weight_sum"], options, weightless)
    for smoothing, ignore in product((None, 0.1, 1.0), (None, 1)):
        options = given(label_smoothing=smoothing, ignore_index=ignore)
        flags = ["options"] + ["ignore_index_in_range"] * (ignore is not None)
        yield from explicit(dtype, "smoothing_and_ignore_index", flags, options, {})
    for ignore in (-1, 255, 2**62):
        changed = {"target": Stored("i64", (3,), [0, ignore, 1])}
        yield from explicit(dtype, "ignored", ["ignore_index_out_of_range"], {"ignore_index": ignore}, changed)


def degenerate(dtype: str) -> Iterator[Case]:
    shapes: tuple[tuple[str, Shape, Shape, str], ...] = (
        ("empty_batch", (0, 4), (3, 4), "empty_batch"),
        ("empty_batch_positions", (0, 4), (3, 2, 4), "empty_batch"),
        ("no_positions", (2, 4), (3, 0, 4), "empty_positions"),
        ("no_features", (2, 0), (3, 0), "no_features"),
        ("no_features_k", (0,), (3, 0), "no_features"),
        ("one_class", (2, 4), (1, 4), "one_class"),
        ("one_row", (1, 4), (3, 4), "one_row"),
        ("one_feature", (3, 1), (4, 1), "one_feature"),
        ("zero_classes", (2, 4), (0, 4), "zero_classes"),
    )
    for (title, input, weight, flag), biased, kind, reduction in product(
        shapes, (False, True), ("indices", "probabilities"), REDUCTIONS
    ):
        case_id = name(NAME, dtype, title, label(kind, "bias" * biased), reduction)
        draw = Draw(case_id)
        scores = scores_shape(input, weight)
        inputs = layer(draw, dtype, input, weight, biased)
        if kind == "probabilities":
            inputs["target"] = distribution(draw, dtype, scores)
        elif weight[0] == 0:
            inputs["target"] = Stored("i64", (2,), [DEFAULT_IGNORE] * 2)
        else:
            inputs["target"] = indices(draw, "i64", scores, None)
        yield case(case_id, [flag], {}, reduction, inputs)


def large(dtype: str) -> Iterator[Case]:
    for (biased, chunk), reduction in product(((False, None), (True, None), (True, 16)), ("mean", "sum")):
        options = given(batch_chunk_size=chunk)
        case_id = name(NAME, dtype, "large", label("bias" * biased, options_name(options)), reduction)
        draw = Draw(case_id)
        inputs: dict[str, Tensor] = {
            "input": draw.seeded("input", dtype, (64, 100), -1, 1),
            "linear_weight": draw.seeded("linear_weight", dtype, (300, 100), -0.5, 0.5),
            "target": draw.seeded("target", "i64", (64,), 0, 300),
        }
        if biased:
            inputs["linear_bias"] = draw.seeded("linear_bias", dtype, (300,), -1, 1)
        yield case(case_id, ["large"], options, reduction, inputs)
    case_id = name(NAME, dtype, "many", "mean")
    draw = Draw(case_id)
    inputs = {
        "input": draw.seeded("input", dtype, (MANY, 2), 0.3, 0.3),
        "linear_weight": draw.seeded("linear_weight", dtype, (3, 2), -1, 1),
        "target": draw.seeded("target", "i64", (MANY,), 0, 3),
    }
    yield case(case_id, ["many_samples"], {}, "mean", inputs)


def invalid(dtype: str) -> Iterator[Case]:
    shapes: tuple[tuple[Shape, Shape, Shape | None, Shape], ...] = (
        ((), (3, 4), None, ()),
        ((2, 3, 4), (3, 4), None, (2,)),
        ((2, 4), (4,), None, (2,)),
        ((2, 4), (3, 5), None, (2,)),
        ((4,), (3, 2, 4), None, (2,)),
        ((2, 4), (3, 4), (4,), (2,)),
        ((2, 4), (3, 4), (1, 3), (2,)),
        ((2, 4), (3, 4), (), (2,)),
        ((2, 4), (3, 2, 4), (3,), (2, 2)),
        ((2, 4), (3, 4), None, (3,)),
        ((2, 4), (3, 4), None, (2, 1)),
        ((2, 4), (3, 4), None, ()),
        ((4,), (3, 4), None, (2,)),
    )
    for (input, weight, bias, target), reduction in product(shapes, ("none", "mean")):
        title = label(f"input={shape_name(input)}", f"linear_weight={shape_name(weight)}")
        title = label(title, f"bias={shape_name(bias)}" if bias is not None else "", f"target={shape_name(target)}")
        case_id = name(NAME, dtype, title, reduction)
        draw = Draw(case_id)
        inputs = layer(draw, dtype, input, weight, False)
        if bias is not None:
            inputs["linear_bias"] = draw.uniform("linear_bias", dtype, bias, -1, 1)
        inputs["target"] = Stored("i64", target, [0] * math.prod(target))
        yield case(case_id, ["invalid", "shape_mismatch"], {}, reduction, inputs)
    for value, chunk in product((3, -1, -99), (None, 2)):
        changed = {"target": Stored("i64", (3,), [0, value, 1])}
        options = given(batch_chunk_size=chunk)
        yield from explicit(dtype, f"target={value}", ["invalid", "index_out_of_range"], options, changed)
    probabilities = {"target": Stored(dtype, (3, 3), [0.5, 0.25, 0.25] * 3)}
    for options in ({"ignore_index": -100}, {"ignore_index": 0}, {"label_smoothing": 1.5}):
        yield from explicit(dtype, "probabilities", ["invalid", "invalid_option"], options, probabilities)
    yield from explicit(dtype, "indices", ["invalid", "invalid_option"], {"label_smoothing": 1.5}, {})
    for weight in (2, 4):
        changed = {"weight": Stored(dtype, (weight,), [1.0] * weight)}
        yield from explicit(dtype, f"weight={weight}", ["invalid", "weight_mismatch"], {}, changed)
    changed = {"target": Stored(dtype, (3,), [0.0, 1.0, 2.0])}
    yield from explicit(dtype, "float_target", ["invalid", "wrong_dtype"], {}, changed)


LOSS = Loss(NAME, ("input", "linear_weight", "linear_bias", "target"), cases, function)
