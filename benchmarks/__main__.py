"""Trains seven models with jaxseq and with its peers, and says how long each takes.

    python benchmarks [--rounds 7] [--workloads a,b] [--contestants a,b] [--no-scripts] [--no-questions] [--write]
"""

from __future__ import annotations

import argparse
import datetime
import json

import questions
import report
import summaries
from peers import HERE, OURS, PEERS
from plot import draw
from ratios import floor_rates
from turns import race, to_stderr
from whole import run_scripts
from workloads import WORKLOADS, Workload

FEWEST = 5      # rounds, for medians that mean something


def main() -> None:
    given = arguments()
    partial = len(given.workloads) < len(WORKLOADS) or len(given.contestants) < len(PEERS)
    results = {"date": datetime.date.today().isoformat(), "machine": report.machine(), "rounds": given.rounds,
               "versions": {}, "workloads": {}, "scripts": {}, "answers": {},
               "skipped": [["this run", name, "was not asked for"] for name in PEERS if name not in {OURS, *given.contestants}]}
    for name in given.workloads:
        measure(results, WORKLOADS[name], given)
    if given.scripts:
        results["scripts"], fallen = run_scripts(given.contestants, given.rounds, to_stderr)
        skip(results, "whole script", fallen)
    if given.questions:
        results["answers"], fallen = questions.measure(questions.QUESTIONS, FEWEST, to_stderr)
        skip(results, "question", fallen)
    conclude(results)
    if given.write if given.write is not None else not partial:
        write(results)


def measure(results: dict, workload: Workload, given: argparse.Namespace) -> None:
    """Adds one workload to the results and shows it."""
    found, fallen = race(workload, given.contestants, given.rounds, to_stderr)
    skip(results, workload.name, fallen)
    for name, record in found.items():
        versions = record.pop("versions")
        if name != "floor":
            results["versions"].setdefault(name, versions)
    floor = found.pop("floor", {"rounds": []})["rounds"]
    record = {"flops": workload.flops, "batch": workload.batch, "rows": workload.rows, "steps": workload.steps,
              "epochs": workload.epochs, "contestants": found, "floor": floor}
    results["workloads"][workload.name] = record
    report.show(summaries.workload_table(workload.name, record))
    if floor:
        print(f"Floor: {max(floor_rates(floor)) / 1e9:.0f} GFLOP/s at best", flush=True)


def skip(results: dict, where: str, fallen: dict[str, str]) -> None:
    results["skipped"] += [[where, name, why] for name, why in fallen.items()]


def conclude(results: dict) -> None:
    """The tables that need more than one workload."""
    shown = set(results["workloads"])
    for table in report.all_tables(results):
        if table.title not in shown:
            report.show(table)
    if results["skipped"]:
        print("Left out:\n" + report.left_out(results["skipped"]))


def write(results: dict) -> None:
    """RESULTS.md, the raw rounds, and the plot."""
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(report.markdown(results))
    if results["workloads"]:
        draw(results, HERE / "results.svg")
    print("Written: RESULTS.md, results.json, results.svg")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help=f"fewer than {FEWEST} are for trying out")
    parser.add_argument("--workloads", type=chosen(WORKLOADS), default=list(WORKLOADS), help=", ".join(WORKLOADS))
    parser.add_argument("--contestants", type=chosen(PEERS), default=list(PEERS), help=f"besides {OURS}: {', '.join(PEERS)}")
    parser.add_argument("--scripts", action=argparse.BooleanOptionalAction, default=True, help="time whole scripts, too")
    parser.add_argument("--questions", action=argparse.BooleanOptionalAction, default=True, help="see questions.py")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=None,
                        help="write RESULTS.md, results.json and results.svg; by default when everything takes part")
    given = parser.parse_args()
    given.contestants = [name for name in PEERS if name == OURS or name in given.contestants]
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def chosen(known: dict):
    """What reads a,b; the empty word chooses none."""
    def read(words: str) -> list[str]:
        names = [word for word in words.split(",") if word]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
        return names
    return read


if __name__ == "__main__":
    main()
