"""The pages, by what they are for; none of them is part of the documented interface for systems."""

from examples.clinic.pages import audit, chart, correcting, day, desk, door, entering, handing, plan, seconds
from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
for each in (door, desk, chart, entering, handing, plan, correcting, seconds, day, audit):
    router.include_router(each.router)
