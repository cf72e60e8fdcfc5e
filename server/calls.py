"""What a call must look like: said before Gradio stumbles over one that does not."""

import inspect
from typing import Any, NamedTuple

import gradio as gr

SESSION = 100  # letters of a session's name: Gradio keeps it, and its clients send a dozen


class RefusedError(Exception):
    """A request that goes no further, with the status and the message of its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Calls(NamedTuple):
    """What a gr.Blocks can be asked."""

    parameters: dict[str, list[str]]  # of each endpoint
    required: dict[str, int]  # how many of them have no default
    functions: dict[int, str | None]  # the endpoint that each is
    components: frozenset[int]

    @classmethod
    def of(cls, demo: gr.Blocks) -> "Calls":
        """Find what there is to call."""
        named = {f.api_name: f.fn for f in demo.fns.values() if f.api_name and f.fn}
        signatures = {name: inspect.signature(fn).parameters for name, fn in named.items()}
        return cls(
            {name: list(parameters) for name, parameters in signatures.items()},
            {
                name: sum(p.default is p.empty for p in parameters.values())
                for name, parameters in signatures.items()
            },
            {i: f.api_name if f.api_name in named else None for i, f in demo.fns.items()},
            frozenset(demo.blocks),
        )

    def check(self, route: str, name: str, body: Any) -> bool:
        """Check the body of a call; fill in the arguments that it leaves to their defaults.

        `route` is what stands before the name in the address. Returns whether it was changed.

        Raises:
            RefusedError: there is no such endpoint, or it cannot be called like this.
        """
        if not isinstance(body, dict):
            raise RefusedError(422, "The body is a JSON object.")
        session = body.get("session_hash")
        if session is not None and (type(session) is not str or len(session) > SESSION):
            raise RefusedError(422, f"A session_hash is a string of at most {SESSION} letters.")
        index = body.get("fn_index")  # Gradio would heed it more than the name
        if name and index is not None and self.functions.get(_whole(index)) != name:
            raise RefusedError(422, f"That is not the fn_index of /{name}: leave it out.")
        if route == "component_server":
            self._check_page(body)
        elif route == "cancel":
            pass  # FastAPI knows its three fields
        elif route == "queue/join":
            return self._check_join(body)
        elif name not in self.parameters:
            raise RefusedError(404, f"There is no endpoint /{name}: there are {self._names()}.")
        elif route == "call/v2":
            self._check_named(name, body)
        else:
            return self._fill_in(name, body)
        return False

    def _names(self) -> str:
        return ", ".join(f"/{name}" for name in self.parameters)

    def _check_page(self, body: dict) -> None:
        known = _whole(body.get("component_id")) in self.components
        if not known or not all(type(body.get(k)) is str for k in ("fn_name", "session_hash")):
            raise RefusedError(422, "The page has no such part: reload it.")

    def _check_join(self, body: dict) -> bool:
        if _whole(body.get("fn_index")) not in self.functions:
            raise RefusedError(422, "There is no such function: connect again.")
        if type(body.get("data")) is not list:
            raise RefusedError(422, 'The arguments stand in a list: {"data": [...]}.')
        name = self.functions[body["fn_index"]]
        return self._fill_in(name, body) if name else False

    def _check_named(self, name: str, body: dict) -> None:
        wanted = self.parameters[name]
        said = f"/{name} takes {', '.join(wanted) or 'nothing'}"
        if strange := [key for key in body if key not in wanted]:
            raise RefusedError(422, f"{said}; got {strange[0][:40]!r}.")
        if missing := next((k for k in wanted[: self.required[name]] if k not in body), None):
            raise RefusedError(422, f"{said}; {missing!r} is missing.")

    def _fill_in(self, name: str, body: dict) -> bool:
        wanted, data = self.parameters[name], body.get("data")
        said = f'/{name} takes {{"data": [{", ".join(wanted)}]}}'
        if type(data) is not list:
            raise RefusedError(422, f"{said}.")
        if not self.required[name] <= len(data) <= len(wanted):
            raise RefusedError(422, f"{said}; got {len(data)} arguments.")
        missing = len(wanted) - len(data)
        data.extend([None] * missing)  # every endpoint takes None for its default
        return missing > 0


def _whole(value: Any) -> int:
    """Return a whole number as it is, and -1 for all else: True is none, and 1.0 neither."""
    return value if type(value) is int else -1
