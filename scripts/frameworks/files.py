"""The files in criterion's folder: what was measured, and the frameworks' figures (benches/src/record.rs)."""

import datetime
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

RUN_FORMAT = "losscheck-run/3"
FRAMEWORKS_FORMAT = "losscheck-frameworks/1"
FRAMEWORKS_FILE = "losscheck-frameworks.json"

T = TypeVar("T")

# What the fields of a workload may hold.
WORKLOAD = {"loss": r"\w+", "pass": "forward|forward_gradient", "shape": r"\d+(x\d+)*", "dtype": "f32|f64"}


class Unusable(Exception):
    """A file that is not as it should be, and where."""


@dataclass(frozen=True)
class Workload:
    """One loss, pass, shape of the first tensor and dtype."""

    id: str
    loss: str
    gradient: bool
    shape: tuple[int, ...]
    # That of each tensor, by name.
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    dtype: str


@dataclass(frozen=True)
class Cell:
    """One backend on one workload: the nanoseconds of a call in each sample, or why there are none."""

    workload: str
    backend: str
    nanoseconds: list[float]
    absent: str | None = None


def run_file(folder: Path, threads: int) -> Path:
    return folder / f"losscheck-threads-{threads}.json"


def read_run(folder: Path, threads: int) -> list[Workload]:
    """The workloads that the benchmarks measured with so many threads."""
    path = run_file(folder, threads)
    if not path.exists():
        raise Unusable(f"{path}: not found; `cargo bench` writes it")
    run = read(path, RUN_FORMAT)
    if field(path, run, "threads", int) != threads:
        raise Unusable(f"{path}: threads: expected {threads}, found {run['threads']}")
    workloads = field(path, run, "workloads", list)
    return [workload(path, f"workloads[{place}]", fields) for place, fields in enumerate(workloads)]


def workload(path: Path, where: str, fields: object) -> Workload:
    found = {}
    for name, pattern in WORKLOAD.items():
        found[name] = field(path, fields, name, str, where)
        if not re.fullmatch(pattern, found[name]):
            raise Unusable(f"{path}: {where}.{name}: expected {pattern}, found {found[name]!r}")
    name, expected = field(path, fields, "id", str, where), "/".join(found.values())
    if name != expected:
        raise Unusable(f"{path}: {where}.id: expected {expected}, found {name}")
    shape = tuple(map(int, found["shape"].split("x")))
    tensors = field(path, fields, "tensors", dict, where)
    for tensor, dims in tensors.items():
        if not isinstance(dims, list) or not all(isinstance(dim, int) for dim in dims):
            raise Unusable(f"{path}: {where}.tensors.{tensor}: expected a list of integers, found {dims!r}")
    shapes = tuple((tensor, tuple(dims)) for tensor, dims in tensors.items())
    return Workload(name, found["loss"], found["pass"] == "forward_gradient", shape, shapes, found["dtype"])


def read(path: Path, expected: str) -> dict[str, object]:
    """A JSON object with this `format`."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unusable(f"{path}: {error}") from error
    if field(path, fields, "format", str) != expected:
        raise Unusable(f"{path}: format: expected {expected}, found {fields['format']}")
    return fields


def field(path: Path, fields: object, name: str, kind: type[T], where: str = "") -> T:
    if not isinstance(fields, dict):
        raise Unusable(f"{path}: {where or 'the whole'}: expected an object, found {fields!r}")
    where = f"{where}.{name}" if where else name
    if name not in fields:
        raise Unusable(f"{path}: {where}: missing")
    if not isinstance(value := fields[name], kind):
        raise Unusable(f"{path}: {where}: expected {kind.__name__}, found {value!r}")
    return value


class Figures:
    """The frameworks' figures, complete on disk after every workload."""

    def __init__(self, folder: Path, threads: int, versions: Mapping[str, str], run: Iterable[Workload]) -> None:
        self.path = folder / FRAMEWORKS_FILE
        self.header = {"threads": threads, "versions": dict(versions)}
        # In the order of the run, whatever the order of measuring.
        self.cells: dict[str, dict[str, Cell]] = {workload.id: {} for workload in run}

    def keep_earlier(self) -> None:
        """Takes over the cells of an earlier run of the same versions and threads, until they are measured anew."""
        if not self.path.exists():
            return
        earlier = read(self.path, FRAMEWORKS_FORMAT)
        for name, expected in self.header.items():
            if (found := field(self.path, earlier, name, type(expected))) != expected:
                advice = "run without --loss and --backend, which measures everything anew"
                raise Unusable(f"{self.path}: {name}: expected {expected}, found {found}; {advice}")
        for place, fields in enumerate(field(self.path, earlier, "cells", list)):
            where = f"cells[{place}]"
            cell = Cell(
                field(self.path, fields, "workload", str, where),
                field(self.path, fields, "backend", str, where),
                field(self.path, fields, "nanoseconds", list, where),
                fields.get("absent"),
            )
            if cell.workload in self.cells:
                self.add([cell])

    def add(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            self.cells[cell.workload][cell.backend] = cell

    def write(self) -> None:
        """Replaces the file at once, so that there is never half of one."""
        cells = [json.dumps(asdict(cell)) for row in self.cells.values() for cell in row.values()]
        header = {"format": FRAMEWORKS_FORMAT, "date": datetime.date.today().isoformat(), **self.header}
        lines = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in header.items())
        rows = ",\n".join(cells)
        text = f'{{\n{lines}"cells": [\n{rows}\n]\n}}\n'
        temporary = self.path.with_suffix(".part")
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, self.path)
