"""The calls that the app accepts: each is checked before Gradio would fail on it."""

import inspect
from dataclasses import dataclass
from typing import Any

import gradio as gr

from server.errors import RequestError

MAX_SESSION_LENGTH = 100  # characters; Gradio keeps the name, and its clients send twelve


@dataclass(frozen=True)
class Endpoints:
    """The endpoints, functions and components of a gr.Blocks that a request may name."""

    parameters: dict[str, list[str]]  # parameter names, by endpoint
    n_required: dict[str, int]  # how many of the parameters have no default, by endpoint
    functions: dict[int, str | None]  # Gradio's function index → endpoint, None for the page's own
    components: frozenset[int]  # Gradio's component ids

    @classmethod
    def of(cls, demo: gr.Blocks) -> "Endpoints":
        """Collect what can be called in a gr.Blocks."""
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
        """Check the parsed body of a call, and fill in arguments that it leaves to their defaults.

        `route` is the part of the path before the endpoint's name, such as `run` or `queue/join`.
        Returns whether the body was changed.

        Raises:
            RequestError: the endpoint does not exist, or its arguments are invalid.
        """
        if not isinstance(body, dict):
            raise RequestError(422, "The body must be a JSON object.")
        self._check_session(name, body)
        if route == "component_server":
            self._check_page_request(body)
        elif route == "cancel":
            return False  # FastAPI checks its three fields
        elif route == "queue/join":
            return self._check_join(body)
        elif name not in self.parameters:
            known = ", ".join(f"/{name}" for name in self.parameters)
            raise RequestError(404, f"There is no endpoint /{name}. The endpoints are {known}.")
        elif route == "call/v2":
            self._check_named_arguments(name, body)
        else:
            return self._fill_in_defaults(name, body)
        return False

    def _check_session(self, name: str, body: dict) -> None:
        session = body.get("session_hash")
        if session is not None and (type(session) is not str or len(session) > MAX_SESSION_LENGTH):
            message = f"session_hash must be a string of at most {MAX_SESSION_LENGTH} characters."
            raise RequestError(422, message)
        index = body.get("fn_index")  # Gradio would follow it rather than the name
        if name and index is not None and self.functions.get(_index(index)) != name:
            raise RequestError(422, f"This is not the fn_index of /{name}: leave it out.")

    def _check_page_request(self, body: dict) -> None:
        known = _index(body.get("component_id")) in self.components
        if not known or not all(type(body.get(k)) is str for k in ("fn_name", "session_hash")):
            raise RequestError(422, "The page has no such component: reload it.")

    def _check_join(self, body: dict) -> bool:
        if _index(body.get("fn_index")) not in self.functions:
            raise RequestError(422, "There is no such function: connect again.")
        if type(body.get("data")) is not list:
            raise RequestError(422, 'Send the arguments as a list: {"data": [...]}.')
        name = self.functions[body["fn_index"]]
        return self._fill_in_defaults(name, body) if name else False

    def _check_named_arguments(self, name: str, body: dict) -> None:
        expected = self.parameters[name]
        usage = f"/{name} takes {', '.join(expected) or 'no arguments'}"
        if unknown := [key for key in body if key not in expected]:
            raise RequestError(422, f"{usage}; got {unknown[0][:40]!r}.")
        required = expected[: self.n_required[name]]
        if missing := next((key for key in required if key not in body), None):
            raise RequestError(422, f"{usage}; {missing!r} is missing.")

    def _fill_in_defaults(self, name: str, body: dict) -> bool:
        expected, data = self.parameters[name], body.get("data")
        usage = f'/{name} takes {{"data": [{", ".join(expected)}]}}'
        if type(data) is not list:
            raise RequestError(422, f"{usage}.")
        if not self.n_required[name] <= len(data) <= len(expected):
            raise RequestError(422, f"{usage}; got {len(data)} arguments.")
        n_missing = len(expected) - len(data)
        data.extend([None] * n_missing)  # each endpoint takes None as its default
        return n_missing > 0


def _index(value: Any) -> int:
    """Return an int as it is, and -1 for anything else, such as True or 1.0."""
    return value if type(value) is int else -1
