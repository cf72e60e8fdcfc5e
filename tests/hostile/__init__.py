"""A corpus of hostile inputs, made by code: each with how it is sent and what must come of it."""

from tests.hostile import (
    arguments,
    batches,
    bodies,
    channel,
    doors,
    drawings,
    forms,
    pictures,
    wire,
)
from tests.hostile.caller import Case

ROOMS = (arguments, drawings, bodies, channel, doors, forms, wire, pictures, batches)
CASES: list[Case] = [case for room in ROOMS for case in room.cases()]
