"""A corpus of hostile inputs: each case sends a request and states the expected response."""

from tests.hostile import (
    arguments,
    batches,
    bodies,
    channel,
    drawings,
    forms,
    pictures,
    routes,
    wire,
)
from tests.hostile.caller import Case

GROUPS = (arguments, drawings, bodies, channel, routes, forms, wire, pictures, batches)
CASES: list[Case] = [case for group in GROUPS for case in group.cases()]
