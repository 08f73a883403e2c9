"""Prints what the PyTorch of this Python answers, a line of JSON for each case.

The arguments are the files of the cases. With --strict, flags that disagree are an error, and so is a crash.
"""

import json
import sys
from collections.abc import Sequence

import torch

from . import integers
from .case import Answer, Case, Missing, check_flags, evaluate
from .isolate import isolated
from .losses import LOSSES
from .square_root import defined_square_roots
from .text import answer_json, case_json
from .tutorial import examples

BY_NAME = {loss.name: loss for loss in LOSSES}


def main(arguments: Sequence[str]) -> None:
    strict = "--strict" in arguments
    torch.set_num_threads(1)
    # In 16 bits oneDNN multiplies matrices only where the processor can, and then in its own way.
    torch.backends.mkldnn.set_flags(_enabled=False)

    def line(case: Case) -> str:
        reply = evaluate(BY_NAME[case.loss], case)
        if strict:
            check_flags(case, reply)
        fields: dict[str, object] = {"id": case.id, **answer_json(reply)}
        match reply:
            case Missing():
                fields |= {"answer": reply.answer, "message": reply.message}
            case Answer() if reply.backward_error:
                fields["backward_error"] = reply.backward_error
        return json.dumps(fields | ({"line": case_json(case, reply)} if strict else {}))

    def crashed(case: Case) -> str:
        if strict:
            raise AssertionError(f"{case.id}: ends the process")
        return json.dumps({"id": case.id, "answer": "crashes"})

    with defined_square_roots():
        for file in arguments:
            if file != "--strict":
                for text in isolated(cases(file), line, crashed):
                    print(file, text, sep="\t")


def cases(file: str) -> list[Case]:
    if file == "tutorial":
        return list(examples())
    return [*BY_NAME[file].cases(), *integers.cases(file)]


if __name__ == "__main__":
    main(sys.argv[1:])
