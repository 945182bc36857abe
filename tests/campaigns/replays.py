"""B24: a seed is all that a run needs to be done again. Each seed is run twice; plan and history must be equal.

What is compared is what was to be done and what became of each operation and figure, never times or random names.
"""

import time
from dataclasses import replace

from tests.campaigns.kills import kill_the_gateway
from tests.campaigns.model import Asked, Report, none_of, told

ROUNDS = 3
"""Of each run: one for each target."""


def replay(asked: Asked) -> Report:
    """`rounds`: how many seeds."""
    started = time.monotonic()
    unequal, unmet = [], []
    for number in range(asked.rounds):
        seed = asked.seed + number
        found = []
        for turn in ("first", "second"):
            folder = asked.folder / f"{seed}-{turn}"
            folder.mkdir(parents=True)
            found.append(kill_the_gateway(replace(asked, rounds=ROUNDS, seed=seed, folder=folder)))
        if (found[0].plan, found[0].history) != (found[1].plan, found[1].history):
            unequal.append(seed)
        unmet += [seed for one in found if not one.met]
    figures = (
        told("seeds run twice", asked.rounds),
        none_of("seeds whose plan or history was another", unequal),
        none_of("runs that did not meet B1", unmet),
    )
    return Report(bar="B24", asked=asked, figures=figures, seconds=time.monotonic() - started)
