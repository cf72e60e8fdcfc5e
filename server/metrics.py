"""Metrics for Prometheus, served at an address of their own; off by default."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """Counts of readings and calls, and their durations."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = Counter(
            "draw_a_digit_readings",
            "Pictures and drawings read, by endpoint, model and verdict",
            ["endpoint", "model", "verdict"],
            registry=self.registry,
        )
        self._reading_seconds = Histogram(
            "draw_a_digit_reading_seconds",
            "Seconds to read one input, without transport",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "draw_a_digit_call_seconds",
            "Seconds from a call's arrival to its response, or until it had joined the queue",
            ["route", "endpoint", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._queue = Gauge("draw_a_digit_queue", "Calls that run or wait", registry=self.registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Report `length()` as the length of the queue."""
        self._queue.set_function(length)

    def observe_reading(
        self, endpoint: str, model: str, verdicts: Mapping[str, int], seconds: float
    ) -> None:
        """Record the verdicts of one call, and its duration in seconds."""
        for verdict, count in verdicts.items():
            self._readings.labels(endpoint, model, verdict).inc(count)
        self._reading_seconds.labels(endpoint).observe(seconds)

    def observe_call(self, route: str, endpoint: str, status: int, seconds: float) -> None:
        """Record one call, with its duration in seconds."""
        self._call_seconds.labels(route, endpoint, str(status)).observe(seconds)

    def serve(self, host: str, port: int) -> None:
        """Serve the metrics at http://HOST:PORT/metrics, in a thread.

        Raises:
            OSError: the address is not free.
        """
        start_http_server(port, addr=host, registry=self.registry)
