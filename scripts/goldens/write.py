"""The text of a golden file: a header, then one case per line, so that a diff shows the cases that changed."""

import json
from collections.abc import Mapping, Sequence

from .flags import FLAGS

FORMAT = "losscheck-goldens/2"
GENERATOR = "scripts/regenerate-goldens"


def golden_file(pytorch: str, lines: Sequence[str]) -> str:
    """Returns the file of cases, each of which is a line of JSON."""
    used = {flag for line in lines for flag in json.loads(line)["flags"]}
    if unknown := used - FLAGS.keys():
        raise AssertionError(f"nothing explains the flags {', '.join(sorted(unknown))}")
    flags = ",\n".join(f"{json.dumps(flag)}: {FLAGS[flag].json()}" for flag in FLAGS if flag in used)
    head = header({"format": FORMAT, "generator": GENERATOR, "pytorch": pytorch, "count": len(lines)})
    cases = ",\n".join(lines)
    return f'{{\n{head}"flags": {{\n{flags}\n}},\n"cases": [\n{cases}\n]\n}}\n'


def header(fields: Mapping[str, object]) -> str:
    return "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in fields.items())


def obj(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": {text}' for key, text in fields.items()) + "}"
