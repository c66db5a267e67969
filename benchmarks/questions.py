"""What jaxseq is asked alone: how its cost grows, what a step is made of, what a call and the start of a script cost.

    python benchmarks/questions.py [--rounds 5] [--questions a,b]

Each question is answered by a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
from collections.abc import Iterable

from child import last_line
from peers import OURS, PEERS, python_of, variables
from turns import Say, missing, to_stderr

QUESTIONS = {           # the module in which the function of that name gives [{"size", ...}, ...]
    "rows": "scaling", "lengths": "scaling", "slabs": "scaling", "streaming": "scaling", "products": "products",
    "kernels": "kernels", "one_row": "calls", "models": "calls", "start": "startup",
}
PATIENCE = 1200         # seconds


def measure(questions: Iterable[str], rounds: int, say: Say) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """({question: its answer}, {question: why there is none})"""
    found, fallen = {}, {}
    for question in questions:
        say(f"question: {question}")
        command = [str(python_of(PEERS[OURS].environment)), __file__, "--answer", question, "--rounds", str(rounds)]
        try:
            done = subprocess.run(command, env=variables(PEERS[OURS]), capture_output=True, text=True, check=True,
                                  timeout=PATIENCE)
            found[question] = json.loads(done.stdout.splitlines()[-1])
        except subprocess.CalledProcessError as error:
            fallen[question] = last_line(error.stderr)
        except subprocess.TimeoutExpired:
            fallen[question] = f"no answer within {PATIENCE} s"
        except OSError:
            fallen[question] = missing(PEERS[OURS])
    return found, fallen


def answer(question: str, rounds: int) -> list[dict]:
    return getattr(importlib.import_module(QUESTIONS[question]), question)(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", default=",".join(QUESTIONS))
    parser.add_argument("--answer", choices=QUESTIONS, help=argparse.SUPPRESS)      # what a child is asked
    given = parser.parse_args()
    if given.answer:
        print(json.dumps(answer(given.answer, given.rounds)))
    else:
        show(*measure(given.questions.split(","), given.rounds, to_stderr))


def show(found: dict, fallen: dict) -> None:
    import report
    from answers import answer_tables

    for table in answer_tables(found):
        report.show(table)
    for question, why in fallen.items():
        print(f"{question}: {why}")


if __name__ == "__main__":
    main()
