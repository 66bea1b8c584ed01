"""The record of a closed trial, which is all that a stranger needs to allocate everybody again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cm_engine.trials.allocation import Allocation, misallocated
from cm_engine.trials.model import Trial, canonical_trial, trial_digest


@dataclass(frozen=True)
class TrialRecord:
    """A closed trial, with its seed and all allocations in their order.

    Attributes:
        trial: as it was opened.
        commitment: the SHA-256 of the seed, published before the first participant.
        seed: what the arms were drawn with.
        allocations: who was allocated to which arm.
    """

    trial: Trial
    commitment: str
    seed: bytes
    allocations: tuple[Allocation, ...]

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, in words; nothing if every arm can be drawn again."""
        yield from misallocated(self.trial, self.commitment, self.seed, self.allocations)

    def form(self) -> dict[str, Any]:
        """Return the record as data, as `cm-engine trial verify` reads it."""
        return {
            "trial": json.loads(canonical_trial(self.trial)),
            "digest": trial_digest(self.trial),
            "commitment": self.commitment,
            "seed": self.seed.hex(),
            "allocations": [each._asdict() for each in self.allocations],
        }
