"""The same files in the hands of the installed Keras: how many of them does it refuse, load, or obey?

Nothing of this is a test. Each file is opened in a child that is thrown away, with a bound on its memory.
"""

import resource
import tempfile

from .attack import FILES
from .cells import Died, Nursery
from .harness import remove
from .lab import Report
from .traps import World
from .zoo import ATTACKS

KINDS = "keras", "whole"            # what keras.models.load_model opens
SECONDS, MEMORY = 20, 8 * 2**30
TAKES = 2, 64                       # seconds and MiB beyond which a file is dear


def compared(attacks=None, said=None):
    """Opens the whole models of the zoo in Keras. failures: what a file that means harm has got it to do.

    figures: files; refused, loaded (as if nothing were wrong), obeyed (code was run, or a file in the trap opened or made),
    died (or never ended), dear (takes more than TAKES); harmless twins that load.
    """
    attacks = [each for each in attacks or ATTACKS if each.kind in KINDS]
    report, twins = Report(), {}
    report.figures = dict.fromkeys(("files", "refused", "loaded", "obeyed", "died", "dear", "twins", "twins that load"), 0)
    with tempfile.TemporaryDirectory() as root, World(root) as world:
        with Nursery("jaxseq.models", environment=world.environment) as nursery, nursery.cell() as cell:
            cell.ask("readers.make", folder=str(world.root / "good"))
        with Nursery("keras", environment={**world.environment, "KERAS_BACKEND": "jax"}) as nursery:
            for attack in attacks:
                if attack.twin not in twins:
                    twins[attack.twin] = _opened(world, nursery, attack, attack.twin)["outcome"]
                told = _opened(world, nursery, attack, attack.make)
                report.cases += 1
                report.figures[told["outcome"]] += 1
                report.figures["dear"] += told["seconds"] > TAKES[0] or told["megabytes"] > TAKES[1]
                if told["outcome"] != "refused":
                    report.failures.append(f"{attack.title}: {told['outcome']} {', '.join(told['seen'])}")
                if said:
                    said(f"{attack.title}: {told}")
    report.figures |= {"files": len(attacks), "twins": len(twins), "twins that load": [*twins.values()].count("loaded")}
    return report


def _opened(world, nursery, attack, make):
    """One file in a child of its own."""
    place = world.root / "files" / FILES[attack.kind]
    remove(place)
    make(place, world.root / "good" / FILES[attack.kind], world.trap)
    world.settle()
    told = {"outcome": "died", "said": "", "seconds": 0, "megabytes": 0}
    with nursery.cell() as cell:
        try:
            cell.ask("readers.enter", folder=str(world.work))
            told = cell.ask("against_keras.tried", seconds=SECONDS, path=str(place),
                            good=str(world.root / "good" / FILES[attack.kind]))
        except Died as death:
            told["said"] = str(death)
    told["seen"] = world.disturbed()
    if told["seen"]:
        told["outcome"] = "obeyed"
    world.trap.made.unlink(missing_ok=True)
    remove(place)
    return told


def tried(path, good):
    """In a child: opens the file as a user of Keras does, once everything is warm."""
    import warnings

    import keras

    from .watch import Cost

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    keras.models.load_model(good)
    outcome, said = "loaded", ""
    with Cost() as cost:
        try:
            keras.models.load_model(path)
        except Exception as error:
            outcome, said = "refused", f"{type(error).__name__}: {str(error)[:200]}"
    return {"outcome": outcome, "said": said, "seconds": cost.seconds, "megabytes": cost.megabytes}
