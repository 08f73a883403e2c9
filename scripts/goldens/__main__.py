"""Regenerates the goldens, or with --check compares them with what is committed."""

import argparse
import importlib.metadata
import re
import sys
import tempfile
from collections import Counter
from itertools import zip_longest
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "reference_data"


def main() -> int:
    parser = argparse.ArgumentParser(prog="regenerate-goldens", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check = parser.parse_args().check
    if complaints := wrong_versions():
        print(f"regenerate-goldens: {sys.executable}: {'; '.join(complaints)}", file=sys.stderr)
        return 2
    if not check:
        generate(DATA)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        total = generate(Path(folder))
        differences = compare(DATA, Path(folder))
    for difference in differences:
        print(difference)
    if not differences:
        print(f"identical: {total} cases")
    return 1 if differences else 0


def wrong_versions() -> list[str]:
    complaints = []
    for line in (HERE / "requirements.txt").read_text().split():
        package, wanted = line.split("==")
        try:
            # 2.13.0+cpu is 2.13.0, built for fewer devices.
            found = importlib.metadata.version(package).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            complaints.append(f"needs {package} {wanted}, which is {found} here")
    return complaints


def generate(folder: Path) -> int:
    """Writes every file below the folder, prints the counts, and returns the number of cases."""
    # Only now: PyTorch may be missing, and that deserves a better message than a traceback.
    import torch

    from . import integers
    from .case import Rejection, evaluate
    from .losses import LOSSES
    from .square_root import defined_square_roots
    from .tutorial import examples
    from .write import write

    torch.set_num_threads(1)
    # In 16 bits oneDNN multiplies matrices only where the processor can, and then in its own way.
    torch.backends.mkldnn.set_flags(_enabled=False)
    pytorch = importlib.metadata.version("torch").split("+")[0]
    by_name = {loss.name: loss for loss in LOSSES}
    files = {f"goldens/{loss.name}.json": [*loss.cases(), *integers.cases(loss.name)] for loss in LOSSES}
    files["tutorial.json"] = list(examples())
    ids = Counter(case.id for cases in files.values() for case in cases)
    if twice := [case_id for case_id, count in ids.items() if count > 1]:
        raise AssertionError(f"more than one case is called {', '.join(twice)}")
    # Everything is answered before anything is written, so that a failure leaves no mixture of old and new.
    with defined_square_roots():
        answers = {
            path: [(case, evaluate(by_name[case.loss], case)) for case in cases] for path, cases in files.items()
        }
    for path, answered in answers.items():
        write(folder / path, pytorch, answered)
        rejected = sum(isinstance(answer, Rejection) for _, answer in answered)
        print(f"{Path(path).stem:<34} {len(answered):>5} cases, {rejected:>3} of them rejected")
    return len(ids)


def compare(committed: Path, fresh: Path) -> list[str]:
    """A line for each file that differs, with the first case that does."""
    differences = []
    names = {file.relative_to(fresh) for file in fresh.rglob("*.json")}
    names |= {file.relative_to(committed) for file in committed.glob("goldens/*.json")}
    for name in sorted(names):
        old, new = committed / name, fresh / name
        if not old.exists():
            differences.append(f"{name}: missing")
        elif not new.exists():
            differences.append(f"{name}: nothing generates it")
        elif old.read_bytes() != new.read_bytes():
            differences.append(f"{name}: first differs in {first_difference(old, new)}")
    return differences


def first_difference(old: Path, new: Path) -> str:
    lines = zip_longest(*(file.read_text(encoding="utf-8", errors="replace").split("\n") for file in (old, new)))
    for before, after in lines:
        if before != after:
            found = re.match(r'\{"id": "([^"]+)"', after or "") or re.match(r'\{"id": "([^"]+)"', before or "")
            return found[1] if found else "the header or the end"
    return "its line endings"


if __name__ == "__main__":
    sys.exit(main())
