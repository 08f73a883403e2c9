"""The pytest plugin: runs losscheck's test cases on a marked test function.

@pytest.mark.losscheck("cross_entropy", dtypes=["bf16"], options={"label_smoothing": [0.0]})
def test_my_loss(case):
    return case.call(my_loss, case["input"], case["target"], reduction=case.options["reduction"])
"""

from __future__ import annotations

import pytest

from losscheck.plugin.run import Run
from losscheck.plugin.selection import Group, read_marker
from losscheck.plugin.tests import CaseTest, expand, judge_group

_RUN = pytest.StashKey[Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the plugin."""
    group = parser.getgroup("losscheck", "losscheck: test cases for PyTorch's loss functions")
    group.addoption(
        "--losscheck-program",
        metavar="COMMAND",
        help="the program losscheck, which may have arguments (default: $LOSSCHECK, or else losscheck on the PATH)",
    )
    group.addoption("--losscheck-each", action="store_true", help="make a test of each case, in place of groups of them")
    group.addoption(
        "--losscheck-case",
        metavar="ID",
        action="append",
        default=[],
        help="run only the cases with this id, which may have wildcards as in a shell; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "losscheck(loss, *, dtypes=None, options=None, gradients=None, framework=None, device=None): "
        "the function takes a losscheck.Case, and returns the value of a loss, or (value, {name: gradient}). losscheck "
        "judges the value and the gradients.",
    )
    config.stash[_RUN] = Run(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test of each group of cases: those of a dtype and a reduction."""
    marker = metafunc.definition.get_closest_marker("losscheck")
    if marker is None:
        return
    try:
        selection = read_marker(marker, metafunc.function, metafunc.fixturenames)
    except (TypeError, ValueError) as error:
        pytest.fail(f"{metafunc.definition.nodeid}: @pytest.mark.losscheck: {error}", pytrace=False)
    groups = selection.groups()
    metafunc.parametrize("case", groups, ids=[str(group) for group in groups])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--losscheck-each`, makes a test of each case, before pytest looks at `-k`."""
    if config.getoption("losscheck_each"):
        items[:] = expand(items, config.stash[_RUN])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Reports the verdicts of a group, after all selected functions have been judged once."""
    group = pyfuncitem.callspec.params.get("case") if hasattr(pyfuncitem, "callspec") else None
    if not isinstance(group, Group):
        return None
    run = pyfuncitem.config.stash[_RUN]
    run.finish(pyfuncitem.session.items)
    judge_group(run, pyfuncitem, group)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Counts what the functions do not support, so that coverage cannot shrink unseen."""
    if lines := config.stash[_RUN].summary():
        terminalreporter.section("losscheck")
        for line in lines:
            terminalreporter.write_line(line)


__all__ = ["CaseTest"]
