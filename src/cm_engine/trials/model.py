"""A trial file, as frozen models, and its canonical form."""

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from typing import Annotated

from pydantic import Field

from cm_engine.program.models import Source
from cm_engine.program.parts import Count, Name, Part, Text

EVERYBODY = "all"
"""The one stratum of a trial that is not stratified."""


class Arm(Part):
    """One arm of a trial: what its participants are enrolled in, and how many of them there are beside the others."""

    program: Annotated[
        Text,
        Field(
            description="what its participants are enrolled in: an id, id@version or digest, or a file's path"
        ),
    ]
    ratio: Annotated[
        Count, Field(description="its share: of ratios 2 and 1, two participants for one; if left out, 1")
    ] = 1


class Trial(Part):
    """A whole trial file: its arms, and how participants are allocated to them.

    Get one from `load_trial` or `parse_trial`: they check what has to hold between its values, the model alone only
    their form.
    """

    trial: Annotated[Name, Field(description="the id: small letters, digits and hyphens")]
    title: Annotated[Text, Field(description="the name people use")]
    summary: Annotated[Text | None, Field(description="what it asks, in a few sentences")] = None
    arms: Annotated[dict[Name, Arm], Field(min_length=2, description="the arms, each under a short name")]
    blocks: Annotated[
        tuple[Count, ...],
        Field(min_length=1, description="the sizes of blocks; the size of each block is drawn from them"),
    ]
    strata: Annotated[
        dict[Name, Annotated[tuple[Name, ...], Field(min_length=2)]],
        Field(description="what participants differ in before: each factor with its levels"),
    ] = {}  # noqa: RUF012 - pydantic copies its defaults
    sources: Annotated[
        dict[Name, Source], Field(description="texts it rests on, such as its registration or protocol")
    ] = {}  # noqa: RUF012 - pydantic copies its defaults

    @property
    def shares(self) -> int:
        """Return the sum of all ratios: the size of every block is a multiple of it."""
        return sum(arm.ratio for arm in self.arms.values())

    def all_strata(self) -> Iterator[str]:
        """Yield the names of all strata, in the order of the file."""
        for levels in product(*self.strata.values()):
            yield stratum_name(dict(zip(self.strata, levels, strict=True)))


def stratum_name(levels: dict[str, str]) -> str:
    """Return the name of a stratum: its levels by their factors, which stand in the order of the alphabet.

    Example:
        >>> stratum_name({"site": "boston", "age": "under-30"})
        'age=under-30,site=boston'
        >>> stratum_name({})
        'all'
    """
    return ",".join(f"{factor}={level}" for factor, level in sorted(levels.items())) or EVERYBODY


def canonical_trial(trial: Trial) -> str:
    """Return the trial as canonical JSON: sorted keys, no white space, defaults left out.

    Formatting, comments and the order of arms, sizes, factors and levels do not show in it: they decide nothing. The
    loader reads it back to the same trial.
    """
    data = trial.model_dump(mode="json", exclude_defaults=True)
    data["blocks"] = sorted(data["blocks"])
    data |= (
        {"strata": {name: sorted(levels) for name, levels in trial.strata.items()}} if trial.strata else {}
    )
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def trial_digest(trial: Trial) -> str:
    """Return the SHA-256 of the canonical form, as 64 hexadecimal digits: it pins every allocation."""
    return hashlib.sha256(canonical_trial(trial).encode()).hexdigest()
