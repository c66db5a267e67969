"""python -m jaxseq: the demo, the self-check, and what is in a file, from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status. Without a command it prints what there is."""
    parser = argparse.ArgumentParser("python -m jaxseq", description="A Keras-style Sequential on a functional JAX core.")
    commands = parser.add_subparsers(dest="command")
    demo = commands.add_parser("demo", help="train on handwritten digits and show how well it went")
    demo.add_argument("--model", choices=("mlp", "convnet", "lstm", "all"), default="all")
    demo.add_argument("--epochs", type=int, help="other than the model's own number")
    demo.add_argument("--seed", type=int, default=0, help="what weights, dropout and the order of rows follow from")
    check = commands.add_parser("self-check", help="compare what this installation computes with NumPy")
    check.add_argument("--verbose", action="store_true", help="a line for each program")
    look = commands.add_parser("inspect", help="print what is in a file of a model, without building it")
    look.add_argument("file", help=".keras, .h5, .hdf5, .safetensors, or a folder of checkpoints")
    given = parser.parse_args(words)
    if given.command == "inspect":
        from jaxseq.api.files.inspecting import show as show_file

        return show_file(given.file)
    if given.command == "demo":
        from jaxseq.api.demo import show

        return show(given.model, given.epochs, given.seed)
    if given.command == "self-check":
        from jaxseq import self_check

        try:
            print(self_check(given.verbose))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
