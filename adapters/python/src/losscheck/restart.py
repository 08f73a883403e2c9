"""Keeps an adapter going whose library ends the process: for answers that are written to a file.

`python -m losscheck restart COMMAND...` runs the adapter, one case at a time. If it dies, or does not answer within the
time limit, that case has failed, and the adapter is started again for the next one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import BinaryIO

from losscheck.errors import ProtocolError
from losscheck.serve import BAD_LINE, STOPPED, read


class Restarted:
    """An adapter in a process of its own."""

    def __init__(self, command: Sequence[str], hello: bytes, limit: float) -> None:
        self.command = list(command)
        self.limit = limit
        self._is_late = False
        self.hello = hello
        self.greeting = self._start()

    def ask(self, line: bytes) -> bytes | None:
        """Returns the reply to a case, or `None` if the adapter died of it."""
        if self._process.poll() is not None:
            self._start()
        return self._exchange(line)

    def stop(self) -> int:
        """Ends the adapter, and returns its exit code."""
        self._stdin.close()
        return self._process.wait()

    def death(self) -> str:
        """Says how the process ended."""
        code = self._process.wait()
        if self._is_late:
            return f"there was no answer within {self.limit:g} s"
        return f"the signal {signal.Signals(-code).name} ended the process" if code < 0 else f"the process ended with {code}"

    def _start(self) -> bytes:
        self._is_late = False
        self._process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Both are pipes.
        self._stdin: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._stdout: BinaryIO = self._process.stdout  # type: ignore[assignment]
        greeting = self._exchange(self.hello)
        if greeting is None:
            raise ProtocolError(f"expected the adapter's `hello`, but {self.death()}")
        return greeting

    def _exchange(self, line: bytes) -> bytes | None:
        try:
            self._stdin.write(line)
            self._stdin.flush()
        except BrokenPipeError:
            return None
        while True:
            # The limit starts again with each message.
            timer = threading.Timer(self.limit, self._end)
            timer.start()
            reply = self._stdout.readline()
            timer.cancel()
            if not reply:
                return None
            if not reply.startswith(b'{"busy"'):
                return reply

    def _end(self) -> None:
        self._is_late = True
        self._process.kill()


def restart(command: Sequence[str], requests: BinaryIO, replies: BinaryIO, limit: float) -> int:
    """Writes the replies of an adapter to each line of `requests`, and returns the exit code."""
    adapter: Restarted | None = None
    deaths = 0
    for line in requests:
        kind, fields = read(line)
        if kind == "bye":
            break
        if kind == "hello":
            adapter = Restarted(command, line, limit)
            replies.write(adapter.greeting)
        elif adapter is None:
            raise ProtocolError("expected the message `hello` before the first case")
        else:
            reply = adapter.ask(line)
            if reply is None:
                deaths += 1
                failed = {"failed": {"n": fields.get("n"), "message": adapter.death()}}
                reply = json.dumps(failed).encode() + b"\n"
            replies.write(reply)
        replies.flush()
    code = adapter.stop() if adapter else STOPPED
    return BAD_LINE if code == BAD_LINE and not deaths else STOPPED
