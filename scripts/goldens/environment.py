"""Makes an environment with one version of PyTorch, in the ignored folder .pytorch/VERSION.

On Linux on x86-64 this downloads 0.5 to 0.9 GB, in place of up to 3 GB: it leaves out most libraries of CUDA, which `stubs` makes
stubs of. On other systems PyTorch's wheels are small, and pip installs everything.
"""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .stubs import make_stubs
from .versions import CURRENT, HERE, requirements

FOLDER = HERE.parent.parent / ".pytorch"
# Python packages that PyTorch imports.
IMPORTED = ("typing_extensions", "sympy", "mpmath<1.4", "networkx", "jinja2", "markupsafe", "filelock", "fsspec", "setuptools")
# Prints the versions of the packages that are named, or "none".
FIND_VERSIONS = """
import importlib.metadata, sys
for package in sys.argv[1:]:
    try:
        print(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        print("none")
"""


class NoEnvironment(Exception):
    """Says why there is no environment, in words for the user."""


def interpreter(version: str) -> str:
    """Returns the Python that has this PyTorch: that of LOSSCHECK_PYTHON for the current version, or of .pytorch/VERSION."""
    wanted = requirements(version)
    own = os.environ.get("LOSSCHECK_PYTHON")
    if own and version == CURRENT:
        if complaints := wrong_versions(own, wanted):
            raise NoEnvironment(f"{own}: {'; '.join(complaints)}")
        return own
    folder = FOLDER / version
    python = folder / "bin" / "python"
    # Written last: an environment without it is incomplete. It names what the environment was made from.
    complete = folder / "complete"
    if not (complete.exists() and complete.read_text().split() == wanted and python.exists()):
        make(folder, python, wanted)
        complete.write_text("\n".join(wanted) + "\n")
    return str(python)


def wrong_versions(python: str, wanted: Sequence[str]) -> list[str]:
    pairs = [requirement.split("==") for requirement in wanted]
    command = [python, "-c", FIND_VERSIONS, *(package for package, _ in pairs)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [
        f"expected {package} {expected}, found {version}"
        for (package, expected), version in zip(pairs, found, strict=True)
        # 2.15.0+cpu is 2.15.0, built for fewer devices.
        if version.split("+")[0] != expected
    ]


def make(folder: Path, python: Path, wanted: Sequence[str]) -> None:
    print(f"regenerate-goldens: installing {' '.join(wanted)} into {folder} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, stdout=sys.stderr)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        install(python, wanted)
        return
    install(python, ["--no-deps", *wanted, *IMPORTED])
    (packages,) = folder.glob("lib/python*/site-packages")
    install(python, ["--no-deps", *cuda_packages(packages)])
    stubs = make_stubs(packages)
    print(f"regenerate-goldens: made stubs of {', '.join(stubs)}", file=sys.stderr)


def install(python: Path, arguments: Sequence[str]) -> None:
    """Runs pip, which shows its progress on stderr."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return
    if missing := re.search(r"No matching distribution found for (\S+)", done.stderr):
        here = ".".join(map(str, sys.version_info[:2]))
        raise NoEnvironment(
            f"{missing[1]} has no wheel for Python {here} on this system. Python 3.11 has a wheel of every version on "
            "Linux: make it available as `python3.11`."
        )
    raise NoEnvironment(f"pip failed:\n{done.stderr}")


def cuda_packages(packages: Path) -> list[str]:
    """Returns the two small libraries of CUDA that PyTorch does call on the CPU, in the versions that it asks for."""
    (metadata,) = packages.glob("torch-*.dist-info")
    required = importlib.metadata.Distribution.at(metadata).requires or []
    parts = ("cuda-runtime", "cuda-cupti")
    # Each by itself, as `nvidia-cuda-cupti-cu12==12.6.80`, or with the version in parentheses.
    pattern = re.compile(rf"(nvidia-(?:{'|'.join(parts)})-cu\d+) ?\(?(==[\d.]+)")
    if exact := [match[1] + match[2] for line in required if (match := pattern.match(line))]:
        return exact
    # Newer ones name a toolkit that stands for all libraries.
    toolkits = (re.match(r"cuda-toolkit\[.*\]==(\d+\.\d+)", line) for line in required)
    toolkit = next((match[1] for match in toolkits if match), None)
    return [f"nvidia-{part}=={toolkit}.*" for part in parts] if toolkit else []
