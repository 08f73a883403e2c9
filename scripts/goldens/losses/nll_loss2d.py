import warnings
from collections.abc import Iterator

import torch

from ..case import FLOATS, REDUCTIONS, Case, Loss, name, options_name, shape_name
from ..draw import Draw
from ..special import ROUNDED_SUM, edges, subnormal_product
from ..tensors import Shape, Stored, Tensor

NAME = "nll_loss2d"

SHAPES: tuple[Shape, ...] = ((2, 3, 2, 2), (1, 4, 3, 1), (3, 5, 1, 2), (2, 3), (4,), (2, 3, 4))


def function(
    input: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None, **options: float | str
) -> torch.Tensor:
    """The class, which is NLLLoss and says that it is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nn.NLLLoss2d(weight=weight, **options)(input, target)


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for shape in SHAPES:
            for weighted in (False, True):
                for ignore in ({}, {"ignore_index": 1}):
                    for reduction in REDUCTIONS:
                        yield drawn(dtype, ["options"], shape, weighted, ignore, reduction)
        for reduction in REDUCTIONS:
            yield drawn(dtype, ["empty_batch"], (0, 3, 2, 2), False, {}, reduction)
            yield drawn(dtype, ["empty_positions"], (2, 3, 0, 2), False, {}, reduction)
            case_id = name(NAME, dtype, "all_ignored", reduction)
            input = scores(Draw(case_id), dtype, (1, 3, 2, 2))
            target = Stored("i64", (1, 2, 2), [-100] * 4)
            yield case(case_id, ["all_ignored"], {}, reduction, {"input": input, "target": target})
            case_id = name(NAME, dtype, "all_ignored+weight", reduction)
            inputs = {"input": input, "target": target, "weight": Stored(dtype, (3,), [0.5, 0.75, 2.0])}
            yield case(case_id, ["all_ignored"], {}, reduction, inputs)
        for reduction in REDUCTIONS:
            case_id = name(NAME, dtype, "weight_negative", reduction)
            draw = Draw(case_id)
            inputs = {"input": scores(draw, dtype, (2, 3, 2, 2)), "target": draw.integers("target", "i64", (2, 2, 2), 0, 3)}
            inputs["weight"] = Stored(dtype, (3,), [0.5, -0.75, 2.0])
            yield case(case_id, ["negative_weight"], {}, reduction, inputs)
        for reduction in REDUCTIONS:
            inputs = {
                "input": Stored(dtype, (1, 3, 3, 1), [-0.5, -2.0, -1.25, -3.0, -0.25, -1.5, -1.0, -1.5, -0.75]),
                "target": Stored("i64", (1, 3, 1), [0, 1, 2]),
                "weight": Stored(dtype, (3,), ROUNDED_SUM),
            }
            flags = ["rounded_weight_sum", "negative_weight"]
            yield case(name(NAME, dtype, "weight_sum=rounded", reduction), flags, {}, reduction, inputs)
        score, small = subnormal_product(dtype)
        for reduction in REDUCTIONS:
            inputs = {
                "input": Stored(dtype, (1, 2, 1, 1), [-0.5, score]),
                "target": Stored("i64", (1, 1, 1), [1]),
                "weight": Stored(dtype, (2,), [1.0, small]),
            }
            yield case(name(NAME, dtype, "weight=small", reduction), ["small_weighted_score"], {}, reduction, inputs)
        case_id = name(NAME, dtype, "many", "mean")
        draw = Draw(case_id)
        inputs = {  # 3 x 59 x 113 = MANY
            "input": draw.seeded("input", dtype, (3, 3, 59, 113), -0.7, -0.7),
            "target": draw.seeded("target", "i64", (3, 59, 113), 0, 3),
        }
        yield case(case_id, ["many_samples"], {}, "mean", inputs)
        for flag, text, value in edges(dtype):
            for reduction in ("none", "mean"):
                case_id = name(NAME, dtype, f"weight={text}", reduction)
                inputs = {
                    "input": scores(Draw(case_id), dtype, (1, 2, 2, 2)),
                    "target": Stored("i64", (1, 2, 2), [0, 1, 1, 0]),
                    "weight": Stored(dtype, (2,), [0.5, value]),
                }
                yield case(case_id, [flag], {}, reduction, inputs)
            for reduction in ("none", "mean"):
                case_id = name(NAME, dtype, f"input={text}", reduction)
                input = Stored(dtype, (1, 2, 2, 2), [-0.5, value, -1.5, -0.25, -0.75, -2.5, -0.125, value])
                target = Stored("i64", (1, 2, 2), [0, 0, 1, 1])
                yield case(case_id, [flag], {}, reduction, {"input": input, "target": target})
        for reduction in ("none", "mean"):
            for index in (3, -1, 255):
                case_id = name(NAME, dtype, f"target={index}", reduction)
                input = scores(Draw(case_id), dtype, (1, 3, 2, 1))
                inputs = {"input": input, "target": Stored("i64", (1, 2, 1), [1, index])}
                yield case(case_id, ["invalid", "index_out_of_range"], {}, reduction, inputs)
            case_id = name(NAME, dtype, "one_class+target=1", reduction)
            inputs = {"input": scores(Draw(case_id), dtype, (1, 1, 1, 1)), "target": Stored("i64", (1, 1, 1), [1])}
            yield case(case_id, ["invalid", "index_out_of_range"], {}, reduction, inputs)
            case_id = name(NAME, dtype, "target=float", reduction)
            inputs = {"input": scores(Draw(case_id), dtype, (1, 3, 1, 2)), "target": Stored(dtype, (1, 1, 2), [0.0, 1.0])}
            yield case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)
            for weight in ((2,), (4,), (1, 3)):
                case_id = name(NAME, dtype, f"weight_shape={shape_name(weight)}", reduction)
                draw = Draw(case_id)
                inputs = {
                    "input": scores(draw, dtype, (2, 3, 2, 2)),
                    "target": draw.integers("target", "i64", (2, 2, 2), 0, 3),
                    "weight": draw.uniform("weight", dtype, weight, 0.25, 3),
                }
                flags = ["flattened_weight"] if weight == (1, 3) else ["invalid", "weight_mismatch"]
                yield case(case_id, flags, {}, reduction, inputs)
            for shape, target_shape in (((2, 3, 2, 2), (2, 2)), ((2, 3, 2, 2), (2, 2, 3)), ((2, 3, 2, 2), (1, 2, 2))):
                case_id = name(NAME, dtype, f"{shape_name(shape)}+target={shape_name(target_shape)}", reduction)
                draw = Draw(case_id)
                inputs = {
                    "input": scores(draw, dtype, shape),
                    "target": draw.integers("target", "i64", target_shape, 0, 3),
                }
                yield case(case_id, ["invalid", "shape_mismatch"], {}, reduction, inputs)


def drawn(dtype: str, flags: list[str], shape: Shape, weighted: bool, ignore: dict[str, int], reduction: str) -> Case:
    case_id = name(NAME, dtype, shape_name(shape), "weight" * weighted, options_name(ignore), reduction)
    draw = Draw(case_id)
    classes = shape[min(len(shape) - 1, 1)]
    rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    inputs = {"input": scores(draw, dtype, shape), "target": draw.integers("target", "i64", rows, 0, classes)}
    if weighted:
        inputs["weight"] = draw.uniform("weight", dtype, (classes,), 0.25, 3)
    return case(case_id, flags, ignore, reduction, inputs)


def scores(draw: Draw, dtype: str, shape: Shape) -> Stored:
    return draw.uniform("input", dtype, shape, -4, -0.01)


def case(
    case_id: str, flags: list[str], settings: dict[str, int], reduction: str, inputs: dict[str, Tensor]
) -> Case:
    return Case(case_id, tuple(flags), {**settings, "reduction": reduction}, inputs)


LOSS = Loss(NAME, ("input",), cases, function)
