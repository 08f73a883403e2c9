"""Serves the adapter in a file or module, `python -m losscheck serve my_adapter.py`, or keeps one going that crashes."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from losscheck.adapter import Adapter
from losscheck.errors import AdapterError, ProtocolError
from losscheck.restart import restart
from losscheck.serve import BAD_LINE, run
from losscheck.streams import claim_streams


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Imports what the arguments name, and serves its adapter."""
    parser = argparse.ArgumentParser(prog="python -m losscheck", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve", help="answer losscheck's cases on the standard input and output")
    command.add_argument("adapter", help="a Python file, or the name of a module, that has a losscheck.Adapter")
    command = commands.add_parser("restart", help="run an adapter that is a command, and start it again whenever it ends")
    command.add_argument("--limit", type=float, default=60, help="seconds that an answer may take (default: 60)")
    command.add_argument("adapter", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command, with its arguments")
    chosen = parser.parse_args(arguments)
    if chosen.command == "restart":
        if not chosen.adapter:
            parser.error("restart: expected a command")
        try:
            sys.exit(restart(chosen.adapter, sys.stdin.buffer, sys.stdout.buffer, chosen.limit))
        except (OSError, ProtocolError) as error:
            sys.stderr.write(f"losscheck: {error}\n")
            sys.exit(BAD_LINE)
    # Before the import, because a library may print while it is imported.
    streams = claim_streams()
    try:
        adapter = find(load(chosen.adapter), chosen.adapter)
    except AdapterError as error:
        sys.stderr.write(f"losscheck: {error}\n")
        sys.exit(BAD_LINE)
    except Exception:
        sys.stderr.write(f"losscheck: {chosen.adapter} cannot be imported\n{traceback.format_exc()}")
        sys.exit(BAD_LINE)
    run(adapter, streams)


def load(name: str) -> ModuleType:
    """Imports a file or a module."""
    path = Path(name)
    if path.suffix != ".py":
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(name)
    if not path.is_file():
        raise AdapterError(f"expected a Python file, found nothing at {path}")
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(f"losscheck_adapter_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise AdapterError(f"expected a Python file, found {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def find(module: ModuleType, name: str) -> Adapter:
    """Returns the one adapter of a module."""
    found = [value for value in vars(module).values() if isinstance(value, Adapter)]
    if len(found) != 1:
        raise AdapterError(f"expected one losscheck.Adapter in {name}, found {len(found)}")
    return found[0]


if __name__ == "__main__":
    main()
