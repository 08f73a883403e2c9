"""Runs what may end the process, or never end, in processes of its own."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
# Seconds of the processor that an item may take. The largest takes less than one.
LIMIT = 10


def isolated(items: Sequence[T], line: Callable[[T], str], crashed: Callable[[T], str]) -> list[str]:
    """Returns a line for each item, and another one for an item that ends its process or takes too long.

    A process does all items. If a signal ends it, each half of them gets a process of its own, and so on: what broke the
    memory may have been an earlier item.
    """
    if not items:
        return []
    lines, ended = in_a_process(items, line)
    if not ended:
        return lines
    if len(items) == 1 or ended == signal.SIGPROF and not lines:
        return [crashed(items[0]), *isolated(items[1:], line, crashed)]
    # Which item takes too long is known, but not whether it does so alone.
    middle = len(lines) if ended == signal.SIGPROF else len(items) // 2
    return isolated(items[:middle], line, crashed) + isolated(items[middle:], line, crashed)


def in_a_process(items: Sequence[T], line: Callable[[T], str]) -> tuple[list[str], int]:
    """Returns the lines, and the signal that ended the process, if one did."""
    reading, writing = os.pipe()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with open(writing, "w", encoding="utf-8") as pipe:
                for item in items:
                    # Unless it is set again in time, the timer ends the process.
                    signal.setitimer(signal.ITIMER_PROF, LIMIT)
                    pipe.write(line(item) + "\n")
                    pipe.flush()
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
        return lines, os.WTERMSIG(status)
    if os.WEXITSTATUS(status) != 0 or len(lines) != len(items):
        raise RuntimeError("the process of a group of cases failed")
    return lines, 0
