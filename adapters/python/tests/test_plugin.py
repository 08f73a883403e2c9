"""The pytest plugin. The tests that judge need the program losscheck, on the PATH or named by $LOSSCHECK."""

import os
import shlex
import shutil
from pathlib import Path

import pytest

needs_program = pytest.mark.skipif(
    shutil.which(shlex.split(os.environ.get("LOSSCHECK") or "losscheck")[0]) is None,
    reason="the program losscheck is not there",
)
EXAMPLE = Path(__file__).parent.parent / "examples" / "test_fused_cross_entropy.py"
# The mean squared error of numbers that NumPy has, and its gradients, by hand.
MSE = """
import numpy as np
import pytest
from losscheck import Unsupported

def mse(case):
    case.takes("input", "target")
    x, y = case["input"], case["target"]
    if x.shape != y.shape or x.size == 0 or x.size > 1000 or x.dtype != y.dtype or not case.want:
        raise Unsupported("only what is simple")
    wide = np.float64
    difference = x.astype(wide) - y.astype(wide)
    count = x.size if case.options["reduction"] == "mean" else 1
    value = difference ** 2 if case.options["reduction"] == "none" else np.sum(difference ** 2) / count
    gradient = 2 * difference / count * (1 if case.cotangent is None else case.cotangent.astype(wide))
    return x.dtype.type(value), {"input": gradient.astype(x.dtype), "target": (-gradient).astype(x.dtype)}
"""
MARK = '@pytest.mark.losscheck("mse_loss", dtypes=["f32"])\n'


def run(pytester: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


@needs_program
def test_a_right_loss_passes_in_one_test_for_each_group(pytester: pytest.Pytester) -> None:
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n    with np.errstate(all='ignore'): return mse(case)\n", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*::test_mse?f32-none? PASSED*", "mse: * cases of mse_loss, 0 differ, * are not supported*"])


@needs_program
def test_a_wrong_gradient_fails_with_the_number_and_the_exact_one(pytester: pytest.Pytester) -> None:
    body = "    value, gradients = mse(case)\n    gradients['target'] = -gradients['target']\n    return value, gradients\n"
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n{body}", "-k", "f32-sum")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(
        ["*cases of mse_loss differ.", "    gradient of target*exact*", "*losscheck show mse_loss/f32/*"]
    )


@needs_program
def test_a_function_that_changes_its_inputs_fails(pytester: pytest.Pytester) -> None:
    body = "    result = mse(case)\n    case['input'][...] = 7\n    return result\n"
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n{body}", "-k", "f32-sum")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*the call changed its inputs"])


@needs_program
def test_what_is_not_supported_is_skipped_and_never_passed(pytester: pytest.Pytester) -> None:
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n    raise Unsupported('nothing here')\n", "-rs")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["*not supported: nothing here"])


@needs_program
def test_an_error_of_the_function_fails_and_shows_where(pytester: pytest.Pytester) -> None:
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n    raise ValueError('my mistake')\n", "-k", "f32-sum")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*ValueError: my mistake (if the library refuses the case, `case.call*", "*raise ValueError*"])


@needs_program
def test_each_case_can_be_a_test_of_its_own(pytester: pytest.Pytester) -> None:
    text = f"{MSE}\n{MARK}def test_mse(case):\n    with np.errstate(all='ignore'): return mse(case)\n"
    result = run(pytester, text, "--losscheck-each", "-q", "--losscheck-case", "mse_loss/f32/3x4/*")
    outcomes = result.parseoutcomes()
    assert set(outcomes) <= {"passed", "skipped"}
    assert outcomes["passed"] >= 3


@needs_program
def test_two_functions_are_judged_apart(pytester: pytest.Pytester) -> None:
    wrong = MARK + "def test_wrong(case):\n    value, gradients = mse(case)\n    return value + 1, gradients\n"
    right = MARK + "def test_right(case):\n    return mse(case)\n"
    result = run(pytester, f"{MSE}\n{right}\n{wrong}", "-k", "f32-mean", "-v", "-W", "ignore")
    result.assert_outcomes(passed=1, failed=1, deselected=4)


@needs_program
def test_the_example_finds_its_bug(pytester: pytest.Pytester) -> None:
    pytest.importorskip("torch")
    result = run(pytester, EXAMPLE.read_text(encoding="utf-8"), "-k", "f32")
    result.assert_outcomes(passed=2, failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*test_fused_cross_entropy?f32-none?*", "    gradient of input*exact*"])


@needs_program
def test_a_program_that_fails_is_quoted(pytester: pytest.Pytester) -> None:
    program = f"{os.environ.get('LOSSCHECK') or 'losscheck'} --reference-data nowhere"
    result = run(pytester, f"{MSE}\n{MARK}def test_mse(case):\n    return mse(case)\n", "--losscheck-program", program)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["`*--reference-data nowhere export*` ended with 2:"])


def test_a_missing_program_is_said_plainly(pytester: pytest.Pytester) -> None:
    result = run(
        pytester, f"{MSE}\n{MARK}def test_mse(case):\n    return mse(case)\n", "--losscheck-program", "no-such-program"
    )
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["--losscheck-program: expected a program, found nothing at no-such-program. The program*"])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('"crossentropy"', "expected a loss: adaptive_*; found 'crossentropy'; did you mean 'cross_entropy'?"),
        ('"ctc_loss", dtypes=["f16"]', "expected a dtype of ctc_loss: f32, f64; found 'f16'"),
        ('"mse_loss", dtypes="f32"', "expected a list, such as *'f32'*, found 'f32'"),
        ('"mse_loss", options={"smoothing": [0.0]}', "expected an option of mse_loss: reduction; found 'smoothing'"),
        (
            '"mse_loss", options={"reduction": ["batchmean"]}',
            "expected a reduction of mse_loss: none, mean, sum; found 'batchmean'",
        ),
        (
            '"mse_loss", gradients=["weight"]',
            "expected an input of mse_loss that has a gradient: input, target; found 'weight'",
        ),
        ('"mse_loss", framework="tf"', "expected a framework of numpy, torch, jax, mlx; found 'tf'"),
        ('"mse_loss", dtype=["f32"]', "*unexpected keyword argument 'dtype'"),
        ("", "*missing 1 required positional argument: 'loss'"),
    ],
)
def test_a_mistake_in_the_marker_is_explained(pytester: pytest.Pytester, marker: str, message: str) -> None:
    result = run(pytester, f"import numpy, pytest\n\n@pytest.mark.losscheck({marker})\ndef test_it(case): ...\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*test_it: @pytest.mark.losscheck: {message}"])


def test_a_function_with_other_arguments_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, "import numpy, pytest\n\n@pytest.mark.losscheck('mse_loss')\ndef test_it(tmp_path): ...\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*expected a function of one argument, `case`, found (tmp_path*)"])


def test_other_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    run(pytester, "def test_it(): ...\n").assert_outcomes(passed=1)
