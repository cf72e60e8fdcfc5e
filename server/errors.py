"""The error that rejects a request."""


class RequestError(Exception):
    """A request is rejected, with this status and message.

    Starlette's HTTPException cannot be used: the apps behind the guard would handle it themselves.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
