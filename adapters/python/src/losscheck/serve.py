"""The loop of an adapter: reads lines, and writes a reply to each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

from losscheck.adapter import PROTOCOL, Adapter
from losscheck.answer import Failed
from losscheck.case import Question
from losscheck.errors import ProtocolError
from losscheck.streams import Streams, claim_streams

# Exit codes.
STOPPED, BAD_LINE, POISONED, INTERRUPTED = 0, 2, 3, 130


def run(adapter: Adapter, streams: Streams | None = None) -> NoReturn:
    """Answers cases until the input ends, and ends the process.

    It ends without the clean-up of the interpreter and of the libraries. What a case has done to their memory, or a
    device that went away, can crash that, and such a crash would be no answer to any case.
    """
    code = main(adapter, streams or claim_streams())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(adapter: Adapter, streams: Streams) -> int:
    """Answers cases until the input ends, and returns the exit code."""
    try:
        return serve(adapter, streams.requests, streams.replies)
    except ProtocolError as error:
        sys.stderr.write(f"{adapter.name}: {error}\n")
        return BAD_LINE
    except BrokenPipeError:
        sys.stderr.write(f"{adapter.name}: nobody reads the replies any more\n")
        return BAD_LINE
    except KeyboardInterrupt:
        return INTERRUPTED


def serve(adapter: Adapter, requests: BinaryIO, replies: BinaryIO) -> int:
    """Writes a line of `replies` for each line of `requests`, and returns the exit code."""

    def reply(message: Mapping[str, object]) -> None:
        replies.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        replies.flush()

    greeted = False
    for number, line in enumerate(requests, 1):
        if not line.strip():
            continue
        try:
            kind, fields = read(line)
            if kind == "bye":
                break
            if kind == "hello":
                check_protocol(fields)
                reply(adapter.hello(fields.get("cases")))
                greeted = True
            elif kind != "case":
                raise ProtocolError(f"expected a message `hello`, `case` or `bye`, found `{kind}`")
            elif not greeted:
                raise ProtocolError("expected the message `hello` before the first case")
            else:
                question = Question.from_json(fields)
                n = question.n
                answered = adapter.answer(question, lambda stage, n=n: reply({"busy": {"n": n, "stage": stage}}))  # type: ignore[misc]
                reply(answered.to_json(n, adapter.encoding))
                if isinstance(answered, Failed) and answered.poisoned:
                    return POISONED
        except ProtocolError as error:
            raise ProtocolError(f"line {number}: {error}") from error
    return STOPPED


def read(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """Reads a line: the name of the message, and its fields."""
    try:
        message = json.loads(line)
    except ValueError as error:  # UnicodeDecodeError, too.
        raise ProtocolError(f"expected a line of JSON: {error}") from error
    if not isinstance(message, dict) or len(message) != 1:
        raise ProtocolError("expected an object with one key, the name of the message")
    [(kind, fields)] = message.items()
    if not isinstance(fields, dict):
        raise ProtocolError(f"expected an object in `{kind}`")
    return kind, fields


def check_protocol(hello: Mapping[str, Any]) -> None:
    """Raises a [`ProtocolError`] if losscheck speaks another version of the protocol."""
    if (version := hello.get("protocol")) != PROTOCOL:
        raise ProtocolError(f"expected version {PROTOCOL} of the protocol, found {version!r}: install the same version of both")
