"""Writes the goldens and the overlays of other versions, or with --check compares them with what is committed.

The goldens are the answers of the current PyTorch. An overlay is what another version answers differently from
the next newer one, in reference_data/versions/VERSION. It depends on the goldens and on the overlays of all newer
versions: if these change, write it again. PyTorch comes from the ignored folder .pytorch/VERSION, into which it is
installed on the first run; older versions need Python 3.11, as `python3.11`. For the current version, LOSSCHECK_PYTHON
may name a Python that has the versions in scripts/goldens/requirements.txt.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from .ask import DATA, LOSSES, TUTORIAL, NoAnswer, Record, ask, golden
from .environment import NoEnvironment, interpreter
from .overlay import differences, folder, overlay_file, states_of, version_file
from .state import CRASHES, UNDEFINED, Golden, State, asked, goldens
from .versions import CURRENT, VERSIONS, newer
from .write import golden_file

# By their paths below the reference data.
Files = dict[str, str]
# Two bytes that fresh memory is filled with, to find answers that depend on it.
FILLS = (0x2A, 0xD5)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="regenerate-goldens", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pytorch",
        metavar="VERSION",
        default=CURRENT,
        help=f"the version to ask: {', '.join(VERSIONS)}, or `all` of them, newest first (default: {CURRENT})",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    arguments = parser.parse_args()
    if arguments.pytorch not in (*VERSIONS, "all"):
        known = ", ".join(VERSIONS)
        parser.error(f"--pytorch: expected one of the versions {known}, or `all`, found {arguments.pytorch}")
    versions = VERSIONS if arguments.pytorch == "all" else (arguments.pytorch,)
    try:
        # One after the other: an overlay depends on the newer ones.
        return max([update(version, arguments.check) for version in versions])
    except (NoEnvironment, NoAnswer, FileNotFoundError) as error:
        print(f"regenerate-goldens: {error}", file=sys.stderr)
        return 2


def update(version: str, check: bool) -> int:
    """Writes or compares the files of a version, and returns the exit status."""
    python = interpreter(version)
    print(f"regenerate-goldens: asking PyTorch {version} ...", file=sys.stderr)
    total, files = golden_files(python) if version == CURRENT else overlay_files(python, version)
    committed = committed_files(version)
    if check:
        found = compare({name: (DATA / name).read_bytes() for name in committed}, files)
        print("\n".join(found) or f"identical: {total} cases")
        return 1 if found else 0
    for name, text in files.items():
        (DATA / name).parent.mkdir(parents=True, exist_ok=True)
        (DATA / name).write_text(text, encoding="utf-8", newline="\n")
    if version != CURRENT:
        for name in committed - files.keys():
            (DATA / name).unlink()
    return 0


def committed_files(version: str) -> set[str]:
    if version != CURRENT:
        files = [*folder(version).glob("*.json")]
    else:
        files = [file for file in (*DATA.glob("goldens/*.json"), golden(TUTORIAL)) if file.exists()]
    return {file.relative_to(DATA).as_posix() for file in files}


def golden_files(python: str) -> tuple[int, Files]:
    """Returns the number of cases, and the goldens."""
    (records,) = ask(python, strict=True)
    files = {}
    for file, answered in records.items():
        files[golden(file).relative_to(DATA).as_posix()] = golden_file(CURRENT, [record["line"] for record in answered])
        rejected = sum('"expected": {"error": ' in record["line"] for record in answered)
        print(f"{file:<34} {len(answered):>5} cases, {rejected:>3} of them rejected")
    return sum(map(len, records.values())), files


def overlay_files(python: str, version: str) -> tuple[int, Files]:
    """Returns the number of cases, and the overlay of a version."""
    newer_states = states_of(newer(version))
    repeated = ask(python, strict=False, fills=FILLS)
    files: Files = {}
    for file in (*LOSSES, TUTORIAL):
        cases = goldens(file)
        if cases.keys() != {record["id"] for record in repeated[0][file]}:
            raise FileNotFoundError(f"{golden(file)} has other cases: write the goldens first")
        states = merged([each[file] for each in repeated])
        if file == TUTORIAL:
            check_tutorial(cases, states)
        elif overlay := differences(cases, states, newer_states[file]):
            files[f"versions/{version}/{file}.json"] = overlay_file(version, file, cases, overlay)
            different = (state for case_id, state in states.items() if not state.same(newer_states[file][case_id]))
            counts = Counter(state.answer for state in different)
            print(f"{file:<34} {', '.join(f'{count} {answer}' for answer, count in sorted(counts.items()))}")
    losses = [Path(name).stem for name in files]
    files[f"versions/{version}/version.json"] = version_file(version, losses)
    return sum(map(len, repeated[0].values())), files


def merged(repeated: Sequence[Sequence[Record]]) -> dict[str, State]:
    """Returns the answers that are the same each time, and marks the others as undefined.

    Whether memory that does not belong to the call shows in one answer is chance. Hence what is undefined in one dtype and
    reduction is undefined in all of them, and so for crashes.
    """
    result = {}
    worst: dict[str, State] = {}
    for records in zip(*repeated, strict=True):
        case_id = records[0]["id"]
        states = [asked(record) for record in records]
        if any(state.answer == CRASHES for state in states):
            result[case_id] = worst[family(case_id)] = State(CRASHES)
        elif len(set(states)) > 1:
            result[case_id] = State(UNDEFINED)
            worst.setdefault(family(case_id), State(UNDEFINED))
        else:
            result[case_id] = states[0]
    return {
        case_id: worst.get(family(case_id), state) if state.answer == UNDEFINED or state.is_value else state
        for case_id, state in result.items()
    }


def family(case_id: str) -> str:
    """Returns what the cases have in common that differ in dtype and reduction alone."""
    loss, _, *parts = case_id.split("/")
    return "/".join([loss, *parts[:-1]])


def check_tutorial(cases: Mapping[str, Golden], states: Mapping[str, State]) -> None:
    for case_id, state in states.items():
        if not state.same(cases[case_id].state):
            raise AssertionError(f"{case_id}: a case of the tutorial is answered otherwise: {state}")


def compare(committed: Mapping[str, bytes], fresh: Files) -> list[str]:
    """Returns a line for each file that differs, with the first case that does."""
    found = []
    for name in sorted({*committed, *fresh}):
        if name not in committed:
            found.append(f"{name}: missing")
        elif name not in fresh:
            found.append(f"{name}: nothing generates it")
        elif committed[name] != fresh[name].encode():
            found.append(f"{name}: first differs in {first_difference(committed[name], fresh[name])}")
    return found


def first_difference(old: bytes, new: str) -> str:
    for before, after in zip_longest(old.decode(errors="replace").split("\n"), new.split("\n")):
        if before != after:
            found = re.match(r'\{"id": "([^"]+)"', after or "") or re.match(r'\{"id": "([^"]+)"', before or "")
            return found[1] if found else "the header, a group or the end"
    return "its line endings"


if __name__ == "__main__":
    sys.exit(main())
