"""Runs what may end the process in processes of its own."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def isolated(items: Sequence[T], line: Callable[[T], str], crashed: Callable[[T], str]) -> list[str]:
    """Returns a line for each item, and another one for an item whose process was ended by a signal.

    A process does all items. If it ends early, each half of them gets one of its own, and so on.
    """
    if not items:
        return []
    lines = in_a_process(items, line)
    if lines is not None:
        return lines
    if len(items) == 1:
        return [crashed(items[0])]
    middle = len(items) // 2
    return isolated(items[:middle], line, crashed) + isolated(items[middle:], line, crashed)


def in_a_process(items: Sequence[T], line: Callable[[T], str]) -> list[str] | None:
    """Returns the lines, or None if a signal ended the process."""
    reading, writing = os.pipe()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with open(writing, "w", encoding="utf-8") as pipe:
                for item in items:
                    pipe.write(line(item) + "\n")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    if os.WEXITSTATUS(status) != 0 or len(lines) != len(items):
        raise RuntimeError("the process of a group of cases failed")
    return lines
