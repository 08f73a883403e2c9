"""Asks a PyTorch, in processes of the Python that has it."""

import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .versions import HERE

DATA = HERE.parent.parent / "reference_data"
TUTORIAL = "tutorial"
LOSSES = tuple(sorted(file.stem for file in (HERE / "losses").glob("[!_]*.py")))

# The id of a case and what `answer` says of it, in JSON where that is the golden format's.
Record = Mapping[str, str]
Records = dict[str, list[Record]]


class NoAnswer(Exception):
    """Says that the process which asks has failed, in words for the user."""


def ask(python: str, *, strict: bool, fills: Sequence[int] = (0,)) -> list[Records]:
    """Returns the answers of each file, once for each byte that fresh memory is filled with; 0 leaves it as it is."""
    workers = max(1, (os.cpu_count() or 1) // len(fills))
    jobs = [(fill, share) for fill in fills for share in shares(workers)]
    results: dict[int, Records] = {fill: {} for fill in fills}
    with ThreadPoolExecutor(len(jobs)) as pool:
        for (fill, _), answered in zip(jobs, pool.map(lambda job: run(python, strict, *job), jobs)):
            results[fill] |= answered
    for records in results.values():
        ids = Counter(record["id"] for answered in records.values() for record in answered)
        if twice := [case_id for case_id, count in ids.items() if count > 1]:
            raise AssertionError(f"more than one case is called {', '.join(twice)}")
    return [{file: records[file] for file in (*LOSSES, TUTORIAL)} for records in results.values()]


def shares(count: int) -> list[list[str]]:
    """Divides the files into shares of about the same work, by the sizes of the committed goldens."""
    sizes = {file: path.stat().st_size if (path := golden(file)).exists() else 0 for file in (*LOSSES, TUTORIAL)}
    result: list[list[str]] = [[] for _ in range(count)]
    for file in sorted(sizes, key=lambda file: -sizes[file]):
        min(result, key=lambda share: sum(sizes[other] for other in share)).append(file)
    return [share for share in result if share]


def golden(file: str) -> Path:
    return DATA / (f"{TUTORIAL}.json" if file == TUTORIAL else f"goldens/{file}.json")


def run(python: str, strict: bool, fill: int, files: Sequence[str]) -> Records:
    command = [python, "-m", "goldens.answer", *(["--strict"] if strict else []), *files]
    # glibc fills memory that it hands out with the complement of this byte, and memory that it takes back with the byte.
    environment = {**os.environ, **({"MALLOC_PERTURB_": str(fill)} if fill else {})}
    with tempfile.TemporaryFile("w+") as errors:
        # An older PyTorch has much to say on stderr, about Python's libraries for example.
        stderr = None if strict else errors
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
        if done.returncode:
            errors.seek(0)
            raise NoAnswer(f"{' '.join(command)} failed\n{errors.read()}")
    records: Records = {file: [] for file in files}
    for line in done.stdout.splitlines():
        file, _, record = line.partition("\t")
        records[file].append(json.loads(record))
    return records
