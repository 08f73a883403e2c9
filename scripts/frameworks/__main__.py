"""Times JAX/XLA and torch.compile on the workloads that `cargo bench` measured."""

import argparse
import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from . import files, processor
from .files import Cell, Workload

HERE = Path(__file__).parent
CRITERION = HERE.parent.parent / "target" / "criterion"

# The names in the report, and the packages whose versions it gives.
BACKENDS = {"xla": ("jax", "optax"), "torch.compile": ("torch",)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench-frameworks", description=__doc__)
    parser.add_argument("--criterion", type=Path, default=CRITERION, metavar="FOLDER", help="where the benchmarks' data is")
    parser.add_argument("--loss", action="append", metavar="NAME", help="only this loss; may be repeated")
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only this one; may be repeated")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="how many each has; 1 unless given")
    options = parser.parse_args()
    if complaints := wrong_versions():
        return fail(f"{sys.executable}: {'; '.join(complaints)}")
    try:
        processor.restrict(options.threads)
        run = files.read_run(options.criterion, options.threads)
        chosen = [workload for workload in run if options.loss is None or workload.loss in options.loss]
        if missing := set(options.loss or ()) - {workload.loss for workload in run}:
            path = files.run_file(options.criterion, options.threads)
            return fail(f"{path}: no workload of {', '.join(sorted(missing))}")
        backends = [name for name in BACKENDS if options.backend is None or name in options.backend]
        figures = files.Figures(options.criterion, options.threads, versions(), run)
        try:
            figures.keep_earlier()
        except files.Unusable:
            # Without a selection everything is measured anew.
            if options.loss or options.backend:
                raise
    except (files.Unusable, processor.Unusable) as error:
        return fail(str(error))
    for number, (workload, cells) in enumerate(measure(chosen, backends, options.threads), start=1):
        figures.add(cells)
        figures.write()
        print(f"[{number}/{len(chosen)}] {workload.id}: {', '.join(map(describe, cells))}", file=sys.stderr, flush=True)
    return 0


def fail(message: str) -> int:
    print(f"bench-frameworks: {message}", file=sys.stderr)
    return 2


def wrong_versions() -> list[str]:
    complaints = []
    for line in (HERE / "requirements.txt").read_text().split():
        package, wanted = line.split("==")
        try:
            found = version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            complaints.append(f"needs {package} {wanted}, which is {found} here")
    return complaints


def version(package: str) -> str:
    # 2.13.0+cpu is 2.13.0, built for fewer devices.
    return importlib.metadata.version(package).split("+")[0]


def versions() -> dict[str, str]:
    """The version of each backend; where it takes several packages, with their names."""
    result = {}
    for backend, packages in BACKENDS.items():
        named = [f"{package} {version(package)}" for package in packages]
        result[backend] = ", ".join(named) if len(named) > 1 else version(packages[0])
    return result


def measure(workloads: Sequence[Workload], backends: Sequence[str], threads: int) -> Iterator[tuple[Workload, list[Cell]]]:
    # Only now: the libraries read how many threads they may have when they are loaded.
    from .bench import Bench

    bench = Bench(backends, threads)
    for workload in workloads:
        yield workload, bench.measure(workload)


def describe(cell: Cell) -> str:
    if cell.absent is not None:
        return f"{cell.backend} absent ({cell.absent})"
    return f"{cell.backend} {median(cell.nanoseconds) / 1000:.2f} µs"


if __name__ == "__main__":
    sys.exit(main())
