import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..case import MANY, REDUCTIONS, SINGLE_AND_DOUBLE, Case, Loss, Options, given, label, name, options_name, shape_name
from ..draw import Draw
from ..special import edges
from ..tensors import Shape, Stored, Tensor

NAME = "ctc_loss"

INF, NAN = math.inf, math.nan

STEPS, CLASSES = 5, 4
LAYOUTS = ("padded", "concatenated", "unbatched", "unbatched_padded")

Labels = Sequence[int]
Inputs = dict[str, Tensor]


def cases() -> Iterator[Case]:
    for dtype in SINGLE_AND_DOUBLE:
        yield from ordinary(dtype)
        yield from special(dtype)
        yield from impossible(dtype)
        yield from without_influence(dtype)
        yield from lengths(dtype)
        yield from labels(dtype)
        yield from scores(dtype)
        yield from large(dtype)
        yield from invalid(dtype)
        yield from unchecked(dtype)


def case(case_id: str, flags: Sequence[str], options: Options, reduction: str, inputs: Mapping[str, Tensor]) -> Case:
    return Case(case_id, tuple(flags), {**options, "reduction": reduction}, inputs)


def log_softmax(draw: Draw, dtype: str, steps: int, samples: int, classes: int, spread: float = 2.0) -> list[float]:
    """In short decimals, of which the exponentials add up to 1 as well as that goes."""
    logits = draw.uniform("log_probs", dtype, (steps, samples, classes), -spread, spread).data
    result = []
    for start in range(0, len(logits), classes):
        row = logits[start : start + classes]
        ln_sum = math.log(math.fsum(map(math.exp, row)))
        result += [round(x - ln_sum, 4) for x in row]
    return result


def tensors(
    dtype: str, log_probs: Sequence[float], targets: Sequence[Labels], input_lengths: Sequence[int], layout: str = "padded"
) -> Inputs:
    """The targets, one for each sample, in one of the layouts; rows are filled up with -1, which counts for nothing."""
    samples = len(targets)
    steps = len(log_probs) // (CLASSES * samples)
    columns = max(map(len, targets), default=0)
    if layout in ("padded", "unbatched_padded"):
        rows = [[*row, *[-1] * (columns - len(row))] for row in targets]
        target = Stored("i64", (samples, columns), sum(rows, []))
    else:
        flat = [value for row in targets for value in row]
        target = Stored("i64", (len(flat),), flat)
    batch = () if layout.startswith("unbatched") else (samples,)
    return {
        "log_probs": Stored(dtype, (steps, *batch, CLASSES), log_probs),
        "targets": target,
        "input_lengths": Stored("i64", batch, list(input_lengths)),
        "target_lengths": Stored("i64", batch, [len(row) for row in targets]),
    }


def drawn(
    dtype: str,
    title: str,
    flags: Sequence[str],
    targets: Sequence[Labels],
    input_lengths: Sequence[int],
    options: Options = {},
    layout: str = "padded",
    reductions: Sequence[str] = REDUCTIONS,
    changes: Mapping[tuple[int, int, int], float] = {},
    steps: int = STEPS,
) -> Iterator[Case]:
    """Drawn log-probabilities, some of them changed, by step, sample and class."""
    for reduction in reductions:
        case_id = name(NAME, dtype, layout, label(title, options_name(options)), reduction)
        log_probs = log_softmax(Draw(case_id), dtype, steps, len(targets), CLASSES)
        for (step, sample, place), value in changes.items():
            log_probs[(step * len(targets) + sample) * CLASSES + place] = value
        inputs = tensors(dtype, log_probs, targets, input_lengths, layout)
        yield case(case_id, flags, options, reduction, inputs)


def ordinary(dtype: str) -> Iterator[Case]:
    # Where the blank is another class than 0, the labels make room for it.
    kinds: dict[str, tuple[list[Labels], list[int]]] = {
        "plain": ([[1, 2], [3, 1, 2]], [5, 5]),
        "shorter": ([[2, 1, 3], [1]], [4, 3]),
        "repeats": ([[1, 1], [2, 2, 1]], [5, 4]),
        "too_short": ([[3, 2], [1, 2, 3]], [5, 2]),
    }
    for layout, (kind, (targets, input_lengths)), blank, zero, reduction in product(
        LAYOUTS, kinds.items(), (None, 1, 3), (None, True), REDUCTIONS
    ):
        if layout.startswith("unbatched"):
            targets, input_lengths = targets[1:], input_lengths[1:]
        options = given(blank=blank, zero_infinity=zero)
        targets = [[0 if value == blank else value for value in row] for row in targets]
        flags = ["options"] + ["impossible_alignment"] * (kind == "too_short")
        yield from drawn(dtype, kind, flags, targets, input_lengths, options, layout, [reduction])


def special(dtype: str) -> Iterator[Case]:
    targets, input_lengths = [[1, 2], [2, 2]], [5, 4]
    for (flag, text, value), (place, index), zero in product(
        edges(dtype), {"blank": 0, "label": 1, "unused": 3}.items(), (None, True)
    ):
        options = given(zero_infinity=zero)
        changes = {(2, 0, index): value}
        title = f"{place}={text}"
        reductions = ("none",) if zero else ("none", "mean")
        yield from drawn(dtype, title, [flag], targets, input_lengths, options, reductions=reductions, changes=changes)
    largest = next(value for _, text, value in edges(dtype) if text == "-largest")
    changes = {(step, 0, place): largest for step in (1, 2) for place in range(CLASSES)}
    for zero in (None, True):
        options = given(zero_infinity=zero)
        flags = ["edge_largest"]
        yield from drawn(dtype, "overflow", flags, targets, input_lengths, options, changes=changes)
    # A score whose exponential is infinite, and with it the gradient of a loss that is not zeroed.
    options = {"zero_infinity": True}
    changes[3, 0, 0] = 1000.0
    yield from drawn(dtype, "overflow_of_both", ["edge_largest"], targets, input_lengths, options, changes=changes)


def impossible(dtype: str) -> Iterator[Case]:
    kinds: dict[str, tuple[list[Labels], list[int]]] = {
        "fewer_steps": ([[1, 2, 3], [1, 2]], [2, 5]),
        "all_too_short": ([[1, 2, 3], [1, 2]], [1, 1]),
        "no_room_between_repeats": ([[1, 1, 1], [2, 2]], [4, 2]),
        "no_steps": ([[1, 2], [3]], [5, 0]),
    }
    for (kind, (targets, input_lengths)), layout, zero in product(kinds.items(), LAYOUTS[:2], (None, True)):
        options = given(zero_infinity=zero)
        flags = ["impossible_alignment"] + ["zero_length"] * (kind == "no_steps")
        yield from drawn(dtype, kind, flags, targets, input_lengths, options, layout)
    changes: dict[str, dict[tuple[int, int, int], float]] = {
        "step": {(2, 0, place): -INF for place in range(CLASSES)},
        "blanks": {(step, 0, 0): -INF for step in range(STEPS)},
        "label": {(step, 0, 1): -INF for step in range(STEPS)},
        "everything": {(step, 0, place): -INF for step in range(STEPS) for place in range(CLASSES)},
    }
    for (kind, changed), zero in product(changes.items(), (None, True)):
        options = given(zero_infinity=zero)
        # Without blanks there is an alignment all the same.
        flags = ["zero_probability"] + ["impossible_alignment"] * (kind != "blanks")
        yield from drawn(dtype, f"zero_{kind}", flags, [[1, 2], [2, 2]], [5, 5], options, changes=changed)
    # A vocabulary of which a part is masked.
    masked = {(step, sample, 3): -INF for step in range(STEPS) for sample in range(2)}
    yield from drawn(dtype, "masked_class", ["zero_probability"], [[1, 2], [2, 2]], [5, 5], changes=masked)


def without_influence(dtype: str) -> Iterator[Case]:
    for text, value in (("nan", NAN), ("inf", INF), ("-inf", -INF)):
        beyond = {(step, 1, place): value for step in (3, 4) for place in range(CLASSES)}
        targets: list[Labels] = [[1, 2], [2, 3]]
        yield from drawn(dtype, f"beyond={text}", ["beyond_length"], targets, [5, 3], changes=beyond)
        # The third label cannot come at the second step, nor the first at the last but one.
        for place, changed in (("early", {(1, 0, 3): value}), ("late", {(3, 0, 1): value})):
            title = f"{place}={text}"
            yield from drawn(dtype, title, ["off_alignment"], [[1, 2, 3], [2, 3]], [5, 5], changes=changed)


def lengths(dtype: str) -> Iterator[Case]:
    for layout in LAYOUTS[:2]:
        yield from drawn(dtype, "tight", ["just_long_enough"], [[1, 2, 3, 1, 2], [1, 1, 2, 2]], [5, 6], {}, layout, steps=6)
        yield from drawn(dtype, "no_labels", ["empty_target"], [[], []], [5, 4], {}, layout)
        yield from drawn(dtype, "some_labels", ["empty_target"], [[1, 2], []], [5, 4], {}, layout)
        yield from drawn(dtype, "no_steps_no_labels", ["zero_length", "empty_target"], [[1], []], [5, 0], {}, layout)
        for zero in (None, True):
            options = given(zero_infinity=zero)
            flags = ["zero_length", "empty_target"]
            yield from drawn(dtype, "nothing_at_all", flags, [[], []], [0, 0], options, layout)
    for layout in LAYOUTS[2:]:
        yield from drawn(dtype, "no_labels", ["empty_target"], [[]], [5], {}, layout)
        yield from drawn(dtype, "no_steps", ["zero_length", "impossible_alignment"], [[1]], [0], {}, layout)
    yield from drawn(dtype, "one_step", ["one_row"], [[1], [2]], [1, 1], steps=1)
    yield from drawn(dtype, "one_sample", ["one_row"], [[1, 3]], [5])
    for reduction in REDUCTIONS:
        for title, shape in (("column", (2, 1)), ("row", (1, 2))):
            case_id = name(NAME, dtype, f"lengths={title}", reduction)
            inputs = explicit(dtype, case_id)
            for tensor in ("input_lengths", "target_lengths"):
                inputs[tensor] = Stored("i64", shape, inputs[tensor].data)
            yield case(case_id, ["length_shape"], {}, reduction, inputs)
        for unbatched, shape in product((False, True), ((), (1,), (1, 1))):
            layout = "unbatched" if unbatched else "padded"
            case_id = name(NAME, dtype, layout, f"lengths={shape_name(shape)}", reduction)
            inputs = tensors(dtype, log_softmax(Draw(case_id), dtype, STEPS, 1, CLASSES), [[1, 2]], [5], layout)
            for tensor in ("input_lengths", "target_lengths"):
                inputs[tensor] = Stored("i64", shape, inputs[tensor].data)
            yield case(case_id, ["length_shape"], {}, reduction, inputs)
        for tensor in ("targets", "input_lengths", "target_lengths"):
            case_id = name(NAME, dtype, f"{tensor}=u8", reduction)
            inputs = explicit(dtype, case_id)
            inputs[tensor] = Stored("u8", inputs[tensor].shape, inputs[tensor].data)
            yield case(case_id, ["u8_target"], {}, reduction, inputs)


def explicit(dtype: str, case_id: str) -> dict[str, Stored]:
    return tensors(dtype, log_softmax(Draw(case_id), dtype, STEPS, 2, CLASSES), [[1, 2], [3, 3]], [5, 4])


def labels(dtype: str) -> Iterator[Case]:
    for pad in (-1, CLASSES, 2**40):
        case_id = name(NAME, dtype, f"padding={pad}", "none")
        inputs = explicit(dtype, case_id)
        inputs["targets"] = Stored("i64", (2, 4), [1, 2, pad, pad, 3, 3, pad, pad])
        yield case(case_id, ["padding"], {}, "none", inputs)
    kinds: dict[str, list[Labels]] = {
        "first": [[0, 1], [0, 0, 2]],
        "middle": [[1, 0, 2], [1, 0, 0, 1]],
        "last": [[1, 0], [2, 0, 0]],
        "only": [[0], [0, 0]],
    }
    for (kind, targets), layout in product(kinds.items(), LAYOUTS[:2]):
        yield from drawn(dtype, f"blank_{kind}", ["blank_label"], targets, [5, 5], {}, layout)
    for reduction, (kind, target) in product(REDUCTIONS, {"empty": [], "blank": [0]}.items()):
        case_id = name(NAME, dtype, f"one_class={kind}", reduction)
        inputs = {
            "log_probs": Draw(case_id).uniform("log_probs", dtype, (3, 1, 1), -1, 0),
            "targets": Stored("i64", (1, len(target)), target),
            "input_lengths": Stored("i64", (1,), [3]),
            "target_lengths": Stored("i64", (1,), [len(target)]),
        }
        yield case(case_id, ["one_class"] + ["blank_label"] * len(target), {}, reduction, inputs)


def scores(dtype: str) -> Iterator[Case]:
    for reduction, layout in product(REDUCTIONS, LAYOUTS[:3]):
        samples: list[Labels] = [[1, 2]] if layout == "unbatched" else [[1, 2], [3, 3]]
        for title, spread in (("logits", 3.0), ("large_logits", 30.0)):
            case_id = name(NAME, dtype, layout, title, reduction)
            logits = Draw(case_id).uniform("log_probs", dtype, (STEPS, len(samples), CLASSES), -spread, spread)
            inputs = tensors(dtype, logits.data, samples, [5] * len(samples), layout)
            yield case(case_id, ["unnormalised_log_probs"], {}, reduction, inputs)
        # e^-x beside 1 - 3 e^-x, along the only likely alignment.
        for margin in (4.0, 12.0, 20.0, 40.0):
            case_id = name(NAME, dtype, layout, f"confident={margin}", reduction)
            rest = -3 * math.exp(-margin)
            log_probs = [
                float(f"{math.log1p(rest):.6g}") if place == path else -margin
                for path in (1, 0, 2, 2, 0)
                for _ in samples
                for place in range(CLASSES)
            ]
            inputs = tensors(dtype, log_probs, samples, [5] * len(samples), layout)
            yield case(case_id, ["confident"], {}, reduction, inputs)
        # Beside the large one the others vanish in a sum, but not where they are subtracted from it.
        large, small = (1e10, -80.0) if dtype == "f32" else (1e19, -700.0)
        case_id = name(NAME, dtype, layout, "absorbing", reduction)
        log_probs = log_softmax(Draw(case_id), dtype, STEPS, len(samples), CLASSES)
        log_probs[len(samples) * CLASSES + 1] = large
        log_probs[3 * len(samples) * CLASSES] = small
        inputs = tensors(dtype, log_probs, samples, [5] * len(samples), layout)
        yield case(case_id, ["absorbing_score"], {}, reduction, inputs)
        case_id = name(NAME, dtype, layout, "ties", reduction)
        inputs = tensors(dtype, [-1.375] * (STEPS * len(samples) * CLASSES), samples, [5] * len(samples), layout)
        yield case(case_id, ["ties"], {}, reduction, inputs)


def large(dtype: str) -> Iterator[Case]:
    sizes = {"150x4x30": (150, 4, 30, 20, -8.0, -0.01), "400x2x20": (400, 2, 20, 60, -6.0, -0.01)}
    # Steps that are all alike round alike, so that the errors of a long sum add up.
    sizes["500x1x4"] = (500, 1, 4, 40, -1.3862, -1.3862)
    for (title, (steps, samples, classes, most, low, high)), reduction in product(sizes.items(), ("none", "mean")):
        case_id = name(NAME, dtype, title, "large", reduction)
        draw = Draw(case_id)
        target_lengths = [most - 3 * sample for sample in range(samples)]
        inputs = {
            "log_probs": draw.seeded("log_probs", dtype, (steps, samples, classes), low, high),
            "targets": draw.seeded("targets", "i64", (samples, most), 1, classes),
            "input_lengths": Stored("i64", (samples,), [steps - 7 * sample for sample in range(samples)]),
            "target_lengths": Stored("i64", (samples,), target_lengths),
        }
        yield case(case_id, ["large"], {}, reduction, inputs)
    case_id = name(NAME, dtype, "many", "mean")
    draw = Draw(case_id)
    inputs = {
        "log_probs": draw.seeded("log_probs", dtype, (2, MANY, 3), -1.0986, -1.0986),
        "targets": draw.seeded("targets", "i64", (MANY, 1), 1, 3),
        "input_lengths": draw.seeded("input_lengths", "i64", (MANY,), 2, 2),
        "target_lengths": draw.seeded("target_lengths", "i64", (MANY,), 1, 1),
    }
    yield case(case_id, ["many_samples"], {}, "mean", inputs)


def invalid(dtype: str) -> Iterator[Case]:
    def changed(title: str, flags: Sequence[str], options: Options = {}, **tensors: tuple[Shape, list[int]]):
        for reduction in ("none", "mean"):
            case_id = name(NAME, dtype, label(title, options_name(options)), reduction)
            inputs = explicit(dtype, case_id)
            for key, (shape, data) in tensors.items():
                inputs[key] = Stored("i64", shape, data)
            yield case(case_id, ["invalid", *flags], options, reduction, inputs)

    for blank in (CLASSES, -1, 2**40):
        yield from changed("blank", ["invalid_option"], {"blank": blank})
    for tensor in ("input_lengths", "target_lengths"):
        for shape in ((), (1,), (3,), (2, 2)):
            data = [1] * math.prod(shape)
            yield from changed(f"{tensor}={shape_name(shape)}", ["shape_mismatch"], **{tensor: (shape, data)})
        for value in (-1, -(2**63), 6, 2**40):
            yield from changed(f"{tensor}={value}", ["length_out_of_range"], **{tensor: ((2,), [1, value])})
    targets = {"scalar": (), "short": (3,), "long": (5,), "rows": (3, 2), "columns": (2, 1), "3d": (1, 2, 2)}
    for title, shape in targets.items():
        yield from changed(f"targets={title}", ["shape_mismatch"], targets=(shape, [1] * math.prod(shape)))
    for reduction in ("none", "mean"):
        shapes: tuple[Shape, ...] = ((), (4,), (1, 5, 2, 4), (0, 2, 4), (5, 0, 4), (5, 2, 0), (0, 4), (5, 0))
        for shape in shapes:
            case_id = name(NAME, dtype, f"log_probs={shape_name(shape)}", reduction)
            samples = shape[1] if len(shape) == 3 else 1
            inputs = {
                "log_probs": Draw(case_id).uniform("log_probs", dtype, shape, -2, -0.1),
                "targets": Stored("i64", (samples, 0), []),
                "input_lengths": Stored("i64", (samples,), [0] * samples),
                "target_lengths": Stored("i64", (samples,), [0] * samples),
            }
            flags = ["invalid", "empty" if 0 in shape else "shape_mismatch"]
            yield case(case_id, flags, {}, reduction, inputs)
        for tensor in ("input_lengths", "target_lengths"):
            case_id = name(NAME, dtype, f"{tensor}=float", reduction)
            inputs = explicit(dtype, case_id)
            inputs[tensor] = Stored(dtype, (2,), [float(length) for length in inputs[tensor].data])
            yield case(case_id, ["invalid", "wrong_dtype"], {}, reduction, inputs)
    for fraction in (0.0, 0.5):
        # Accepted, and truncated.
        case_id = name(NAME, dtype, f"targets=float+fraction={fraction}", "none")
        inputs = explicit(dtype, case_id)
        inputs["targets"] = Stored(dtype, (2, 2), [float(value) + fraction for value in inputs["targets"].data])
        yield case(case_id, ["wrong_dtype"], {}, "none", inputs)


def unchecked(dtype: str) -> Iterator[Case]:
    for layout, value, reduction in product(LAYOUTS, (-1, CLASSES, 255, -(2**63), 2**63 - 1), ("none", "mean")):
        case_id = name(NAME, dtype, layout, f"target={value}", reduction)
        targets: list[Labels] = [[1, value]] if layout.startswith("unbatched") else [[1, 2], [value, 3]]
        log_probs = log_softmax(Draw(case_id), dtype, STEPS, len(targets), CLASSES)
        inputs = tensors(dtype, log_probs, targets, [5] * len(targets), layout)
        yield case(case_id, ["unchecked_label"], {}, reduction, inputs)


LOSS = Loss(NAME, ("log_probs",), cases)
