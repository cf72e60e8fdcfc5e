"""Figures for Prometheus, on an address of their own that is off by default."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """What was read, what was called, and how long it took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = Counter(
            "draw_a_digit_readings",
            "Pictures and drawings that were read, by endpoint, model and verdict",
            ["endpoint", "model", "verdict"],
            registry=self.registry,
        )
        self._reading_seconds = Histogram(
            "draw_a_digit_reading_seconds",
            "From the ink to its answer, without the transport",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "draw_a_digit_call_seconds",
            "From a call's arrival until its answer was there, or it had joined the queue",
            ["route", "endpoint", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._queue = Gauge(
            "draw_a_digit_queue", "Calls that are in work or wait", registry=self.registry
        )

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Ask `length` for the queue's length, whenever Prometheus does."""
        self._queue.set_function(length)

    def read(self, endpoint: str, model: str, verdicts: Mapping[str, int], seconds: float) -> None:
        """Count what one call has read."""
        for verdict, count in verdicts.items():
            self._readings.labels(endpoint, model, verdict).inc(count)
        self._reading_seconds.labels(endpoint).observe(seconds)

    def called(self, route: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one call."""
        self._call_seconds.labels(route, endpoint, str(status)).observe(seconds)

    def serve(self, host: str, port: int) -> None:
        """Serve the figures at http://HOST:PORT/metrics, in a thread.

        Raises:
            OSError: the address is not free.
        """
        start_http_server(port, addr=host, registry=self.registry)
