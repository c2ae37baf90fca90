"""The whole gateway in one process, on virtual time, over a network in memory, with seeded faults: see docs/simulation.md.

Everything that would be different on the next day (time, chance, the order in which bytes arrive) is drawn from one
seed, so that a failure once seen can be seen again.
"""

from pennyworth.simulation.episode import Episode, play
from pennyworth.simulation.parts import AS_SHIPPED, Fittings
from pennyworth.simulation.run import Tally, run

__all__ = ["AS_SHIPPED", "Episode", "Fittings", "Tally", "play", "run"]
