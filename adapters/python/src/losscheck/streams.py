"""The standard streams, kept from everything but the protocol."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Streams:
    """The streams that the protocol has to itself."""

    requests: BinaryIO
    replies: BinaryIO


def claim_streams() -> Streams:
    """Takes the standard input and output away from everything else in this process.

    From now on, file descriptor 1 is the standard error, so that what a library prints, in C++ too, does not get among
    the replies. File descriptor 0 is at its end, so that a compiler in a child process cannot read the cases.
    """
    sys.stdout.flush()
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Streams(os.fdopen(requests, "rb"), os.fdopen(replies, "wb"))
