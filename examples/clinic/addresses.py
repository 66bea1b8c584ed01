"""The parts of addresses: what an id and a number may look like."""

from typing import Annotated

from fastapi import Path

ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"
"""An opaque id: of a participant, an enrollment, or whoever acts."""
ID_OR_NOTHING = ID.replace("^", "^(").replace("$", ")?$")

EnrollmentId = Annotated[str, Path(alias="enrollment", pattern=ID, description="the id of an enrollment")]
Number = Annotated[int, Path(ge=0, le=10**9)]
