"""Makes stub libraries, so that a PyTorch built for CUDA can be imported without CUDA.

The wheels of PyTorch for Linux on x86-64 are built for CUDA. `import torch` loads two gigabytes of libraries (cuBLAS, cuDNN, NCCL
and others), although nothing that runs on the CPU calls them: the loader asks only whether each library is there and has the
symbols. A stub has them all, as functions that do nothing. It takes a C compiler, and `readelf` and `nm`, which come with one.
"""

import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# The libraries of CUDA. That of the driver, libcuda.so.1, is left out: PyTorch loads it only if there is a GPU.
CUDA = re.compile(r"lib(cu(?!da\.so)|nccl|nv)\w*\.so\.\d+")
# The functions of those libraries of CUDA whose symbols have no version.
FUNCTION = re.compile(r"(cu|nccl|nv)\w+")


def make_stubs(packages: Path) -> list[str]:
    """Writes a stub beside libtorch for each library of CUDA that is needed and absent, and returns their names.

    `packages` is the folder that pip installs into.
    """
    folder = packages / "torch" / "lib"
    libraries = sorted(folder.glob("*.so*"))
    present = {file.name for file in [*libraries, *packages.glob("nvidia/*/lib/*.so*")]}
    # For each absent library, the symbols of each version.
    stubs: dict[str, dict[str, set[str]]] = {}
    for library in libraries:
        absent = {name for name in needed(library) if CUDA.fullmatch(name)} - present
        for name in absent:
            stubs.setdefault(name, defaultdict(set))
        for symbol, version, owner in undefined(library):
            if owner in absent:
                stubs[owner][version].add(symbol)
            elif not version and FUNCTION.fullmatch(symbol):
                # Nothing says which library has it, so that each of them gets it.
                for name in absent:
                    stubs[name][""].add(symbol)
    for name, symbols in stubs.items():
        compile_stub(folder / name, symbols)
    return sorted(stubs)


def needed(library: Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-dW", library))


def undefined(library: Path) -> Iterator[tuple[str, str, str]]:
    """Yields the symbols that a library takes from others: name, version, and the library that has it, if there is a version."""
    owners: dict[str, str] = {}
    file = ""
    for kind, name in re.findall(r"(File|Name): (\S+)", output("readelf", "-VW", library)):
        if kind == "File":
            file = name
        else:
            owners[name] = file
    for line in output("nm", "-D", "--undefined-only", "--with-symbol-versions", library).splitlines():
        symbol, _, version = line.split()[-1].partition("@")
        yield symbol, version, owners.get(version, "")


def compile_stub(path: Path, symbols: dict[str, set[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, versions = Path(folder) / "stub.c", Path(folder) / "stub.map"
        names = sorted(set().union(*symbols.values()))
        source.write_text("".join(f"void {name}(void) {{}}\n" for name in names))
        blocks = [
            f"{version} {{ global: {' '.join(f'{name};' for name in sorted(symbols[version]))} }};\n"
            for version in sorted(symbols)
            if version
        ]
        versions.write_text("".join(blocks))
        script = [f"-Wl,--version-script={versions}"] if blocks else []
        # Some symbols have the names of functions that the compiler knows.
        command = ["cc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{path.name}", *script]
        subprocess.run([*command, "-o", str(path), str(source)], check=True)


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
