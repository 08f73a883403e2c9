import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product

import torch

from ..case import FLOATS, Case, Loss, Options, label, name, shape_name
from ..compatibility import assign_parameters
from ..draw import Draw
from ..special import edges
from ..tensors import Shape, Stored, Tensor

NAME = "adaptive_log_softmax_with_loss"
RESULTS = ("loss", "output", "log_prob", "predict")
OF_TARGETS = RESULTS[:2]
HEAD = ("head.weight", "head.bias")
TAIL = tuple((f"tail.{i}.0.weight", f"tail.{i}.1.weight") for i in range(4))


class Module(torch.nn.AdaptiveLogSoftmaxWithLoss):
    """With the other methods by way of `forward`, which is what `functional_call` calls."""

    def forward(self, result: str, *arguments: torch.Tensor) -> torch.Tensor:
        match result:
            case "log_prob":
                return self.log_prob(*arguments)
            case "predict":
                return self.predict(*arguments)
            case _:
                return getattr(super().forward(*arguments), result)


def function(*, result: str, input: torch.Tensor, target: torch.Tensor | None = None, **arguments: object) -> torch.Tensor:
    """There is none in torch.nn.functional: the class with a case's tensors for parameters. `load_state_dict` refuses
    those that do not belong to the options, and `functional_call` lets the gradients through to them."""
    parameters = {key: value for key, value in arguments.items() if isinstance(value, torch.Tensor)}
    options = {key: value for key, value in arguments.items() if key not in parameters}
    module = Module(**options, device="meta")
    assign_parameters(module, parameters)
    inputs = (input,) if target is None else (input, target)
    return torch.func.functional_call(module, parameters, (result, *inputs))


def layout(in_features: int, cutoffs: Sequence[int], n_classes: int, **more: float | bool) -> Options:
    return {"in_features": in_features, "n_classes": n_classes, "cutoffs": list(cutoffs), **more}


LAYOUTS = {
    "1_tail": layout(4, [2], 5, div_value=2.0),
    "2_tails": layout(4, [2, 4], 7, div_value=2.0),
    "3_tails": layout(8, [3, 4, 6], 9, div_value=2.0),
    "4_tails": layout(4, [1, 3, 5, 7], 9, div_value=1.25),
    "default": layout(16, [2, 4], 6),
}


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield from ordinary(dtype)
        yield from projections(dtype)
        yield from special(dtype)
        yield from precision(dtype)
        yield from choices(dtype)
        yield from degenerate(dtype)
        yield from large(dtype)
        yield from invalid_options(dtype)
        yield from invalid_parameters(dtype)
        yield from invalid_inputs(dtype)


def case(case_id: str, flags: Sequence[str], options: Options, inputs: Mapping[str, Tensor]) -> Case:
    """The result stands at the end of the id."""
    return Case(case_id, tuple(flags), {**options, "result": case_id.split("/")[-1]}, inputs)


def parameter_shapes(options: Options) -> dict[str, Shape]:
    in_features, (first, *_) = options["in_features"], options["cutoffs"]
    outputs = first + len(options["cutoffs"])
    shapes = {HEAD[0]: (outputs, in_features)}
    if options.get("head_bias"):
        shapes[HEAD[1]] = (outputs,)
    for i, (low, high) in enumerate(pairwise([*options["cutoffs"], options["n_classes"]])):
        width = int(in_features // options.get("div_value", 4.0) ** (i + 1))
        shapes |= zip(TAIL[i], ((width, in_features), (high - low, width)))
    return shapes


def tensors(draw: Draw, dtype: str, options: Options, input: Shape) -> dict[str, Tensor]:
    shapes = {"input": input, **parameter_shapes(options)}
    return {key: draw.uniform(key, dtype, shape, -2, 2) for key, shape in shapes.items()}


def clusters(options: Options) -> list[range]:
    return [range(low, high) for low, high in pairwise([0, *options["cutoffs"], options["n_classes"]])]


def targets(kind: str, options: Options) -> list[int]:
    """Six of them, or one."""
    of_cluster = clusters(options)
    match kind:
        case "shortlist" | "first":
            chosen = [of_cluster[0]]
        case "tail" | "last":
            chosen = [of_cluster[-1]]
        case "without_first_tail":
            chosen = of_cluster[:1] + of_cluster[2:]
        case _:
            chosen = of_cluster
    rows = 1 if kind in ("first", "last") else 6
    return [classes[-1 - i // len(chosen) % len(classes)] for i in range(rows) for classes in [chosen[i % len(chosen)]]]


def ordinary(dtype: str) -> Iterator[Case]:
    kinds = ("shortlist", "tail", "without_first_tail", "mixed", "first", "last")
    for (layout_name, options), biased in product(LAYOUTS.items(), (False, True)):
        options = {**options, "head_bias": True} if biased else options
        for kind, result in product(kinds, OF_TARGETS):
            case_id = name(NAME, dtype, layout_name, label(kind, "bias" * biased), result)
            target = targets(kind, options)
            batch = () if kind in ("first", "last") else (len(target),)
            inputs = tensors(Draw(case_id), dtype, options, (*batch, options["in_features"]))
            inputs["target"] = Stored("i64", batch, target)
            flags = ["options"] + ["unbatched"] * (batch == ()) + ["unused_tail"] * (kind != "mixed")
            yield case(case_id, flags, options, inputs)
        for rows, result in (*product((1, 2, 5), ("log_prob",)), (5, "predict")):
            case_id = name(NAME, dtype, layout_name, label(f"{rows}_rows", "bias" * biased), result)
            inputs = tensors(Draw(case_id), dtype, options, (rows, options["in_features"]))
            yield case(case_id, ["options"], options, inputs)


def drawn(
    dtype: str, title: str, flags: Sequence[str], options: Options, rows: int, results: Sequence[str] = RESULTS
) -> Iterator[Case]:
    """Each result of a batch whose targets go through all classes."""
    for result in results:
        case_id = name(NAME, dtype, title, result)
        inputs = tensors(Draw(case_id), dtype, options, (rows, options["in_features"]))
        if result in OF_TARGETS:
            inputs["target"] = Stored("i64", (rows,), [row % options["n_classes"] for row in range(rows)])
        yield case(case_id, flags, options, inputs)


def projections(dtype: str) -> Iterator[Case]:
    for div_value in (0.5, 0.75, 1.0, 1.5, 3.0, 4.0, 8.0, math.inf):
        options = layout(6, [2, 3], 5, div_value=div_value)
        none = 0 in parameter_shapes(options)[TAIL[1][0]]
        flags = ["div_value"] + ["no_projection"] * none
        yield from drawn(dtype, f"div_value={div_value}", flags, options, 5)


EXPLICIT = layout(2, [2, 3], 5, div_value=1.0, head_bias=True)


def explicit(
    dtype: str, title: str, flags: Sequence[str], changed: Mapping[str, Stored], results: Sequence[str], **more: object
) -> Iterator[Case]:
    """A layout with two tails, written out, with some of its tensors changed."""
    plain = {
        "input": Stored(dtype, (4, 2), [0.5, -1.25, 1.5, 0.25, -0.75, 1.0, 0.25, 0.75]),
        "target": Stored("i64", (4,), [0, 2, 3, 4]),
        "head.weight": Stored(dtype, (4, 2), [1.0, 0.5, -0.75, 1.25, 0.25, -1.5, 0.75, 0.5]),
        "head.bias": Stored(dtype, (4,), [0.125, -0.25, 0.5, -0.375]),
        "tail.0.0.weight": Stored(dtype, (2, 2), [0.5, -0.25, 1.25, 0.75]),
        "tail.0.1.weight": Stored(dtype, (1, 2), [0.625, -1.0]),
        "tail.1.0.weight": Stored(dtype, (2, 2), [-0.5, 1.5, 0.375, -1.25]),
        "tail.1.1.weight": Stored(dtype, (2, 2), [1.0, -0.5, 0.25, 0.875]),
    }
    for result in results:
        inputs = {**plain, **changed}
        if result not in OF_TARGETS:
            del inputs["target"]
        yield case(name(NAME, dtype, title, result), flags, {**EXPLICIT, **more}, inputs)


def special(dtype: str) -> Iterator[Case]:
    places: dict[str, tuple[Shape, list[float]]] = {
        "input": ((4, 2), [0.5, -1.25, 1.5, math.nan, -0.75, 1.0, 0.25, 0.75]),
        "head.weight": ((4, 2), [1.0, 0.5, -0.75, 1.25, 0.25, math.nan, 0.75, 0.5]),
        "head.bias": ((4,), [0.125, -0.25, math.nan, -0.375]),
        "tail.1.0.weight": ((2, 2), [math.nan, 1.5, 0.375, -1.25]),
        "tail.1.1.weight": ((2, 2), [1.0, -0.5, 0.25, math.nan]),
    }
    for (place, (shape, data)), (flag, text, value) in product(places.items(), edges(dtype)):
        changed = {place: Stored(dtype, shape, [value if math.isnan(x) else x for x in data])}
        results = RESULTS[1:] if place in ("input", "head.bias", "tail.1.1.weight") else RESULTS[1:3]
        yield from explicit(dtype, f"{place}={text}", [flag], changed, results)
    # Tails that no target falls into, whatever they hold, count for nothing in the loss.
    changed = {
        "target": Stored("i64", (4,), [0, 1, 2, 2]),
        "tail.1.0.weight": Stored(dtype, (2, 2), [math.nan, math.inf, -math.inf, 0.0]),
    }
    yield from explicit(dtype, "unused_tail=nan", ["unused_tail"], changed, OF_TARGETS)
    # An odd number of scores or features, and as many samples and scores as make a product of matrices in blocks.
    for title, options in (("43_scores", layout(7, [42], 44, div_value=2.0)), ("33_features", layout(33, [30], 32))):
        for result in RESULTS[2:]:
            case_id = name(NAME, dtype, f"nan_sample+{title}", result)
            inputs = tensors(Draw(case_id), dtype, options, (20, options["in_features"]))
            samples = list(inputs["input"].data)
            samples[len(samples) // 2] = math.nan
            yield case(case_id, ["nan_sample"], options, {**inputs, "input": Stored(dtype, inputs["input"].shape, samples)})


def precision(dtype: str) -> Iterator[Case]:
    for margin in (16.0, 32.0, 100.0):
        # The one class of the first tail, and one of the second's, each certain or next to it.
        in_head = {
            "head.bias": Stored(dtype, (4,), [0.0, 0.0, 0.0, margin]),
            "target": Stored("i64", (4,), [3, 4, 3, 4]),
        }
        yield from explicit(dtype, f"confident_head={margin}", ["confident"], in_head, RESULTS)
        in_tail = {
            "tail.1.0.weight": Stored(dtype, (2, 2), [margin, 0.0, 0.0, margin]),
            "input": Stored(dtype, (4, 2), [1.0, 0.0, 1.0, 0.125, 0.0, 1.0, 0.5, 0.5]),
            "target": Stored("i64", (4,), [3, 4, 3, 4]),
        }
        yield from explicit(dtype, f"confident_tail={margin}", ["confident"], in_tail, RESULTS)
        yield from explicit(dtype, f"confident={margin}", ["confident"], {**in_head, **in_tail}, RESULTS)
    cancelling = {
        "input": Stored(dtype, (4, 2), [1000.0, -999.5, 500.25, 500.0, -250.0, 249.75, 100.5, -100.0]),
        "head.weight": Stored(dtype, (4, 2), [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.5, 0.5]),
        "tail.1.0.weight": Stored(dtype, (2, 2), [1.0, 1.0, 0.5, 0.5]),
    }
    yield from explicit(dtype, "cancelling", ["cancelling_scores"], cancelling, RESULTS)


def choices(dtype: str) -> Iterator[Case]:
    """What `predict` has to choose from."""
    zero = Stored(dtype, (4, 2), [0.0] * 8)
    for title, bias in {
        "all": [1.0, 1.0, 1.0, 1.0],
        "shortlist": [1.0, 1.0, 0.5, 0.5],
        "shortlist_and_tail": [0.5, 1.0, 1.0, 1.0],
        "tails": [0.5, 0.25, 1.0, 1.0],
        "last_tail": [0.5, 0.25, 0.75, 1.0],
    }.items():
        changed = {"input": zero, "head.bias": Stored(dtype, (4,), bias)}
        yield from explicit(dtype, f"ties={title}", ["ties"], changed, RESULTS)
    # The second tail is the likeliest cluster, but each of its classes is less likely than those of another.
    spread = {
        "input": Stored(dtype, (3, 2), [0.0, 0.0, 0.125, -0.125, 4.0, 4.0]),
        "head.bias": Stored(dtype, (4,), [0.0, 0.875, 0.75, 1.0]),
        "target": Stored("i64", (3,), [1, 3, 4]),
    }
    yield from explicit(dtype, "likely_tail_of_unlikely_classes", ["unlikely_classes"], spread, RESULTS)


def degenerate(dtype: str) -> Iterator[Case]:
    two = LAYOUTS["2_tails"]
    yield from drawn(dtype, "empty_batch", ["empty_batch"], two, 0)
    yield from drawn(dtype, "empty_batch+bias", ["empty_batch"], {**two, "head_bias": True}, 0)
    yield from drawn(dtype, "one_row", ["one_row"], two, 1)
    yield from drawn(dtype, "no_features", ["no_features", "no_projection"], layout(0, [2, 4], 6), 3)
    yield from drawn(dtype, "no_features+bias", ["no_features", "no_projection"], layout(0, [2, 4], 6, head_bias=True), 3)
    negative = layout(0, [2, 4], 6, div_value=-4.0)
    yield from drawn(dtype, "no_features+div_value=-4", ["no_features", "no_projection"], negative, 3)
    yield from drawn(dtype, "one_feature", ["one_feature"], layout(1, [2], 4, div_value=1.0), 4)
    # One class in the shortlist and in the last tail: the bounds of what cutoffs may be.
    yield from drawn(dtype, "least_and_largest_cutoff", ["outermost_cutoffs"], layout(4, [1, 5], 6, div_value=2.0), 6)
    yield from drawn(dtype, "two_classes", ["outermost_cutoffs"], layout(4, [1], 2, div_value=2.0), 4)


def large(dtype: str) -> Iterator[Case]:
    for biased, result in product((False, True), ("loss", "output", "predict")):
        options = layout(64, [60, 200, 500], 1200, head_bias=biased)
        case_id = name(NAME, dtype, label("large", "bias" * biased), result)
        draw = Draw(case_id)
        inputs: dict[str, Tensor] = {"input": draw.seeded("input", dtype, (100, 64), -1, 1)}
        for key, shape in parameter_shapes(options).items():
            inputs[key] = draw.seeded(key, dtype, shape, -0.75, 0.75)
        if result in OF_TARGETS:
            inputs["target"] = draw.seeded("target", "i64", (100,), 0, 1200)
        yield case(case_id, ["large"], options, inputs)


def invalid_options(dtype: str) -> Iterator[Case]:
    for cutoffs in ([], [0, 3], [3, 2], [2, 2], [2, 5], [2, 6]):
        title = "cutoffs=" + ("none" if not cutoffs else "-".join(map(str, cutoffs)))
        yield from explicit(dtype, title, ["invalid", "invalid_cutoffs"], {}, ("loss", "predict"), cutoffs=cutoffs)
    yield from explicit(dtype, "n_classes=0", ["invalid", "invalid_cutoffs"], {}, ("loss",), n_classes=0)
    for div_value in (0.0, -1.0, -0.5):
        flags = ["invalid", "invalid_div_value"]
        yield from explicit(dtype, f"div_value={div_value}", flags, {}, ("loss", "predict"), div_value=div_value)


def invalid_parameters(dtype: str) -> Iterator[Case]:
    """Parameters that are not those of the options."""
    flags = ["invalid", "parameter_mismatch"]
    for title, more in {
        "in_features=3": {"in_features": 3},
        "n_classes=6": {"n_classes": 6},
        "cutoffs=2-4": {"cutoffs": [2, 4]},
        "cutoffs=3-4": {"cutoffs": [3, 4]},
        "cutoffs=2": {"cutoffs": [2]},
        "cutoffs=2-3-4": {"cutoffs": [2, 3, 4]},
        "div_value=2": {"div_value": 2.0},
        "head_bias": {"head_bias": False},
    }.items():
        yield from explicit(dtype, f"parameters+{title}", flags, {}, ("loss", "log_prob"), **more)
    for key, shape in {
        "head.weight": (4, 3),
        "head.bias": (3,),
        "tail.0.0.weight": (1, 2),
        "tail.0.1.weight": (2, 2),
        "tail.1.0.weight": (2,),
        "tail.1.1.weight": (3, 2),
    }.items():
        changed = {key: Stored(dtype, shape, [0.5] * math.prod(shape))}
        yield from explicit(dtype, f"{key}={shape_name(shape)}", flags, changed, ("loss", "predict"))
    for result in OF_TARGETS:
        case_id = name(NAME, dtype, "without_bias", result)
        options = {**LAYOUTS["1_tail"], "head_bias": True}
        inputs = tensors(Draw(case_id), dtype, LAYOUTS["1_tail"], (2, 4))
        inputs["target"] = Stored("i64", (2,), [0, 3])
        yield case(case_id, flags, options, inputs)


def invalid_inputs(dtype: str) -> Iterator[Case]:
    shapes: tuple[tuple[Shape, Shape], ...] = (
        ((), ()),
        ((2,), (1,)),
        ((2,), (2,)),
        ((4, 2), ()),
        ((4, 2), (3,)),
        ((4, 2), (5,)),
        ((4, 2), (4, 1)),
        ((1, 4, 2), (1,)),
        ((1, 4, 2), (1, 4)),
        ((4, 3), (4,)),
        ((3,), ()),
        ((0, 3), (0,)),
    )
    for (input, target), result in product(shapes, OF_TARGETS):
        changed = {
            "input": Stored(dtype, input, [0.5] * math.prod(input)),
            "target": Stored("i64", target, [0] * math.prod(target)),
        }
        title = f"input={shape_name(input)}+target={shape_name(target)}"
        yield from explicit(dtype, title, ["invalid", "shape_mismatch"], changed, (result,))
    for input, result in product(((), (2,), (3,), (4, 3), (1, 4, 2)), RESULTS[2:]):
        changed = {"input": Stored(dtype, input, [0.5] * math.prod(input))}
        is_rejected = (input, result) != ((1, 4, 2), "predict")
        flags = ["invalid", "shape_mismatch"] if is_rejected else ["stray_dimension"]
        yield from explicit(dtype, f"input={shape_name(input)}", flags, changed, (result,))
    for value in (5, -1, -100, 2**62):
        changed = {"target": Stored("i64", (4,), [0, value, 3, 4])}
        yield from explicit(dtype, f"target={value}", ["invalid", "index_out_of_range"], changed, OF_TARGETS)
    changed = {"input": Stored(dtype, (2,), [0.5, 1.0]), "target": Stored("i64", (), [5])}
    yield from explicit(dtype, "target=5+unbatched", ["invalid", "index_out_of_range"], changed, OF_TARGETS)
    changed = {"target": Stored(dtype, (4,), [0.0, 2.0, 3.0, 4.0])}
    yield from explicit(dtype, "target=float", ["invalid", "wrong_dtype"], changed, OF_TARGETS)
    changed = {"target": Stored("u8", (4,), [0, 2, 3, 4])}
    yield from explicit(dtype, "target=u8", ["invalid", "u8_unsupported"], changed, OF_TARGETS)


DIFFERENTIABLE = ("input", *HEAD, *(key for keys in TAIL for key in keys))

LOSS = Loss(NAME, DIFFERENTIABLE, cases, function, leaves_unused=True)
