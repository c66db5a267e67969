"""Every file that means harm, opened by the loaders that a user has, in cells and under watch: see cells.py and watch.py."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .attack import FILES, LOADERS, Attack, Make
from .cells import Cell, Died
from .lab import Lab, Report, opened
from .traps import World
from .zoo import ATTACKS

MEGABYTES, SECONDS, LETTERS = 64, 2, 4000
LATE = 10           # seconds after which a cell is ended
ROOM = 20           # files that one cell opens, if it is to be thorough


def hostile(full: bool = False, attacks: Iterable[Attack] | None = None, said: Callable[[str], None] | None = None,
            before: Callable[[Cell, Attack, World], None] = lambda cell, attack, world: None, lab: Lab | None = None) -> Report:
    """Opens the files of the zoo, and their harmless twins.

    full: files of all kinds by all loaders, in a new cell for every ROOM of them; else one of every attack, by the loaders that
    have to refuse it, and every fourth is inspected, too. attacks: others than those of the zoo. said: is told every outcome.
    before: is called before a file that means harm is opened. lab: where, if there is one.
    """
    chosen = [*(attacks or (ATTACKS if full else sample()))]
    round_ = Round(Report(), said, before, full or attacks is not None)
    with opened(lab) as here:
        each = ROOM if full else len(chosen)
        for start in range(0, len(chosen), each):
            round_.tried(here, chosen[start:start + each])
    round_.report.figures |= {"attacks": len({attack.name for attack in chosen}), "files": len(chosen)}
    return round_.report


def sample() -> list[Attack]:
    """One file of every attack, of all kinds in turn."""
    return [*{attack.name: attack for attack in (*ATTACKS, *ATTACKS[::2])}.values()]


@dataclass
class Round:
    """Attacks tried one after another. by_all: whether every loader opens every file."""

    report: Report
    said: Callable[[str], None] | None
    before: Callable[[Cell, Attack, World], None]
    by_all: bool

    def tried(self, lab: Lab, attacks: list[Attack]) -> None:
        """In one cell; one that dies is followed by another for the rest."""
        twins, kinds = set(), sorted({attack.kind for attack in attacks})
        while attacks:
            with lab.warm_cell(kinds) as cell:
                while attacks and cell.lives:
                    attack = attacks.pop(0)
                    if attack.twin not in twins:
                        twins.add(attack.twin)
                        self._opened(lab.world, cell, attack, attack.twin, LOADERS[attack.kind], harmless=True)
                    self.before(cell, attack, lab.world)
                    inspected = () if len(attacks) % 4 else ("inspect",) if "inspect" in LOADERS[attack.kind] else ()
                    loaders = LOADERS[attack.kind] if self.by_all or not attack.by else (*attack.by, *inspected)
                    self._opened(lab.world, cell, attack, attack.make, loaders)

    def _opened(self, world: World, cell: Cell, attack: Attack, make: Make, loaders: tuple[str, ...],
                harmless: bool = False) -> None:
        """Opens one file by some loaders. A folder, which they may change, is made anew for each."""
        place = world.root / "files" / FILES[attack.kind]
        title = f"{attack.title}{', harmless' if harmless else ''}"
        for loader in loaders:
            if not cell.lives:
                break
            if not place.exists() or place.is_dir():
                remove(place)
                make(place, world.root / "good" / FILES[attack.kind], world.trap)
                world.alarm.heard()                     # builders may look into the trap
            self.report.cases += 1
            faults, outcome = self._asked(world, cell, attack, loader, str(place), harmless)
            self.report.failures += [f"{title}, {loader}: {fault}" for fault in faults]
            if self.said:
                self.said(f"{title}, {loader}: {outcome}" + "".join(f"\n    FAILED: {fault}" for fault in faults))
        remove(place)

    def _asked(self, world: World, cell: Cell, attack: Attack, loader: str, path: str, harmless: bool) -> tuple[list[str], str]:
        """(what is wrong, what came of it)."""
        try:
            told = cell.ask("readers.opened", seconds=LATE, kind=attack.kind, loader=loader, path=path)
        except Died as death:
            return [str(death)], str(death)
        self.report.at_most("megabytes", told["megabytes"])
        self.report.at_most("seconds", told["seconds"])
        faults = [*_faults(told, attack, loader, path, harmless), *world.disturbed()]
        return faults, f"{told['outcome']} {told['seconds']:.2f} s {told['megabytes']:.0f} MiB {told['said'][:300]!r}"


def _faults(told, attack, loader, path, harmless):
    """What is not as it has to be."""
    refused, text = told["outcome"] == "refused", told["said"]
    yield from faults_of(told, loader, path)
    if harmless and not (told["outcome"] == "loaded" and told["same"]):
        yield f"the harmless file gives other than the good one: {told['outcome']} {text}"
    if not harmless and loader in attack.by:
        if not refused:
            yield "is loaded"
        elif attack.told not in text:
            yield f"refused with {text[:300]!r} and not with {attack.told!r}"
    if not harmless and not refused and not told["same"] and loader not in ("inspect", "load_by_name"):
        yield "gives other weights than the good file"


def faults_of(told, loader, path, seconds=SECONDS):
    """What must not be of any file, whatever is in it."""
    refused, text = told["outcome"] == "refused", told["said"]
    if told["outcome"] not in ("refused", "loaded"):
        yield f"{told['outcome']}: {text}"
    if refused and loader != "inspect":
        if not text.startswith(path):
            yield f"refused without its name: {text[:200]!r}"
        if not all(letter.isprintable() or letter == "\n" for letter in text) or len(text) > LETTERS:
            yield f"refused with {len(text)} letters, or some that act on a terminal"
        if not told["unchanged"]:
            yield "is refused, and the model is another"
    yield from told["seen"]
    if told["megabytes"] > MEGABYTES or told["seconds"] > seconds:
        yield f"takes {told['seconds']:.2f} s and {told['megabytes']:.0f} MiB"


def remove(place):
    """Takes away whatever stands there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
