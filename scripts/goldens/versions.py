"""The versions of PyTorch that the reference data knows."""

from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().split())
# Its answers are the goldens.
CURRENT = REQUIREMENTS["torch"]
# Each of the others has an overlay: what it answers differently from the version before it in this list. Newest first.
VERSIONS = (
    CURRENT,
    "2.14.1",
    "2.13.0",
    "2.12.1",
    "2.11.0",
    "2.10.0",
    "2.9.1",
    "2.8.0",
    "2.7.1",
    "2.6.0",
    "2.5.1",
    "2.4.1",
    "2.3.1",
    "2.2.2",
    "2.1.2",
    "2.0.1",
)


def newer(version: str) -> str:
    """Returns the next newer version in the list."""
    return VERSIONS[VERSIONS.index(version) - 1]


def requirements(version: str) -> list[str]:
    """Returns what pip installs: this PyTorch, and a NumPy that it works with."""
    # PyTorch was built against the first version of NumPy's interface up to here.
    old = tuple(map(int, version.split("."))) < (2, 3)
    return [f"torch=={version}", f"numpy=={'1.26.4' if old else REQUIREMENTS['numpy']}"]
