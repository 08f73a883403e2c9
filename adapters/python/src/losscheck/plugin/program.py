"""The program losscheck, which has the cases and judges the answers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ProgramError(Exception):
    """Says why the program losscheck cannot be used, in words for the user."""


@dataclass(frozen=True)
class Program:
    """The command that runs losscheck."""

    command: tuple[str, ...]

    @classmethod
    def find(cls, given: str | None) -> Program:
        """Returns the program of `--losscheck-program`, of $LOSSCHECK, or on the PATH."""
        for source, text in (("--losscheck-program", given), ("$LOSSCHECK", os.environ.get("LOSSCHECK")), ("", "losscheck")):
            if not text:
                continue
            name, *arguments = shlex.split(text)
            if found := shutil.which(name):
                return cls((found, *arguments))
            where = f"{source}: expected a program, found nothing at {name}" if source else "losscheck is not on the PATH"
            raise ProgramError(
                f"{where}. The program losscheck has the test cases and judges the answers. Build it with "
                "`cargo install --path crates/losscheck-cli` in the repository of losscheck, or name it by "
                "--losscheck-program or $LOSSCHECK."
            )
        raise AssertionError("the last name is never empty")

    def export(self, losses: Sequence[str], file: Path) -> None:
        """Writes the cases of the losses."""
        self._run("export", *_chosen(losses), "--out", str(file))

    def judge(self, losses: Sequence[str], answers: Sequence[Path]) -> Any:
        """Returns the verdicts on the answers to the cases of the losses."""
        return json.loads(self._run("judge", *map(str, answers), *_chosen(losses), "--format", "json"))

    def _run(self, *arguments: str) -> str:
        command = [*self.command, *arguments]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        # 1 says that something differs.
        if done.returncode not in (0, 1):
            raise ProgramError(f"`{shlex.join(command)}` ended with {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout


def _chosen(losses: Sequence[str]) -> list[str]:
    return [argument for loss in losses for argument in ("--loss", loss)]
