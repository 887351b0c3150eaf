"""Is every run tracked once, with its true status, whatever happens to the store and to it?"""

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kills import Kills, kills
from outages import Round, outages
from signals import Shot, signals

HERE = Path(__file__).parent
MARK = "<!-- measured -->\n"


def main() -> None:
    """Run the rounds, say what is wrong, write the table into the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*STUDIES])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="leave the README as it is")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended
    found: list[Any] = []
    rounds, told = STUDIES[options.what]
    for one in rounds(options.rounds, options.seed):
        found.append(one)
        print("good" if not one.faults else "BAD ", one, flush=True)
    text = told(found)
    print(text)
    if not options.check:
        _write(options.what, text)
    sys.exit(any(one.faults for one in found))


def _outages(found: list[Round]) -> str:
    counts = Counter((one.kind, one.command) for one in found)
    good = Counter((one.kind, one.command) for one in found if not one.faults)
    commands = sorted({one.command for one in found})
    lines = ["| the store | " + " | ".join(commands) + " |", "|---" * (len(commands) + 1) + "|"]
    for kind in sorted({one.kind for one in found}):
        cells = (f"{good[kind, name]} of {counts[kind, name]}" for name in commands)
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    later = sum(one.exit == 5 for one in found)
    lines.append(f"\n{good.total()} of {counts.total()} good; {later} were sent later.\n")
    return "\n".join(lines)


def _signals(found: list[Shot]) -> str:
    counts, good = Counter((s.signal, s.to) for s in found), Counter[tuple[str, str]]()
    good.update((s.signal, s.to) for s in found if not s.faults)
    to = sorted({one.to for one in found})
    lines = ["| signal | " + " | ".join(to) + " |", "|---" * (len(to) + 1) + "|"]
    for name in sorted({one.signal for one in found}):
        cells = (f"{good[name, each]} of {counts[name, each]}" for each in to)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    longest = max(one.took for one in found)
    away = sum(one.away for one in found)
    lines.append(f"\n{good.total()} of {counts.total()} good, {away} of them without a store; ")
    return "\n".join(lines) + f"the longest took {longest:.1f} s.\n"


def _kills(found: list[Kills]) -> str:
    shots = Counter(shot for one in found for shot in one.shots)
    bad = Counter(shot for one in found if one.faults for shot in one.shots)
    to, names = (sorted({shot[place] for shot in shots}) for place in (0, 1))
    lines = ["| signal | " + " | ".join(to) + " |", "|---" * (len(to) + 1) + "|"]
    for name in names:
        each = (f"{shots[t, name] - bad[t, name]} of {shots[t, name]}" for t in to)
        lines.append(f"| {name} | {' | '.join(each)} |")
    good = sum(not one.faults for one in found)
    same, lost = sum(one.exit == 0 for one in found if not one.faults), sum(o.lost for o in found)
    lines.append(
        f"\n{shots.total()} shots in {len(found)} runs, {good} of {len(found)} good: {same} ended "
        f"with the same bits, {good - same} with one clear line. Of those that ended well, "
        f"{lost} executors were lost; the longest took {max(one.took for one in found):.0f} s.\n"
    )
    return "\n".join(lines)


STUDIES: dict[str, tuple[Callable[[int, int], Iterator[Any]], Callable[[list[Any]], str]]] = {
    "outages": (outages, _outages),
    "signals": (signals, _signals),
    "kills": (kills, _kills),
}


def _write(what: str, text: str) -> None:
    page = HERE / "README.md"
    mark = MARK.replace("measured", what)
    before, _, rest = page.read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition("<!-- end -->")
    page.write_text(f"{before}{mark}{text}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
