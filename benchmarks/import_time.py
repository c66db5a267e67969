"""How much longer does `import jaxseq` take than `import jax`, which it cannot do without? At most 1.3 times is wanted.

    python benchmarks/import_time.py [--pairs 11]

Each pair is two fresh processes, one after the other and in turns the first; what counts is the median over the pairs.
The time is that of the processor, which other work on the machine disturbs least; reading files from a cold disk is not
in it. Compiled files are kept, as on any machine where a program runs for the second time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

SCRIPT = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(module: str) -> float:
    """How long a fresh process takes for one import."""
    command = [sys.executable, "-c", SCRIPT.format(module)]
    return float(subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=11)
    pairs = parser.parse_args().pairs
    seconds("jax"), seconds("jaxseq")           # the first ones compile the files that are new
    jax, jaxseq = [], []
    for number in range(pairs):
        for module, times in ((("jax", jax), ("jaxseq", jaxseq)) if number % 2 else (("jaxseq", jaxseq), ("jax", jax))):
            times.append(seconds(module))
    ratio = statistics.median(b / a for a, b in zip(jax, jaxseq, strict=True))
    print(f"import jax     {statistics.median(jax):.3f} s (median of {pairs}, {min(jax):.3f} to {max(jax):.3f})")
    print(f"import jaxseq  {statistics.median(jaxseq):.3f} s (median of {pairs}, {min(jaxseq):.3f} to {max(jaxseq):.3f})")
    print(f"ratio          {ratio:.3f} (median over the pairs; wanted: at most 1.3)")


if __name__ == "__main__":
    main()
