"""The numbers as Prometheus reads them (https://prometheus.io/docs/practices/naming/), asked of the database again
at every scrape: they are of the whole installation, whichever process is asked.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from isthmus.ops.cost_limited_cache import CostLimitedCache
from isthmus.ops.status import ConnectionStatus, StatusReport


def register_status(status: Callable[[], StatusReport], registry: CollectorRegistry) -> None:
    """Let a registry tell how every connection stands."""
    registry.register(StatusCollector(status))


class StatusCollector(Collector):
    """Every number of `isthmus status`, by connection."""

    def __init__(self, status: Callable[[], StatusReport]) -> None:
        self._status = CostLimitedCache(status)

    def describe(self) -> list[Metric]:
        """Nothing: what is told is known only once asked, and the database may be away when the process starts."""
        return []

    def collect(self) -> Iterator[Metric]:
        told = self._status().connections
        yield from _connections(told)
        yield from _records(told)
        yield from _lanes(told)
        yield from _counters(told)
        yield _cases(told)


def _connections(told: list[ConnectionStatus]) -> Iterator[Metric]:
    shut = GaugeMetricFamily(
        "isthmus_connection_shut",
        "1 where a person (pause) or a failure (block) shut it.",
        labels=["connection", "by"],
    )
    live = GaugeMetricFamily("isthmus_connection_live", "1 where it pushes, 0 in shadow mode.", labels=["connection"])
    pushed = GaugeMetricFamily(
        "isthmus_last_push_timestamp_seconds", "When Ometria last took anything.", labels=["connection"]
    )
    for c in told:
        shut.add_metric([c.name, "pause"], float(c.paused))
        shut.add_metric([c.name, "block"], float(c.background.blocked_code is not None))
        live.add_metric([c.name], float(c.background.mode == "live"))
        if c.background.pushed_at is not None:
            pushed.add_metric([c.name], c.background.pushed_at.timestamp())
    yield from (shut, live, pushed)


def _records(told: list[ConnectionStatus]) -> Iterator[Metric]:
    records = GaugeMetricFamily(
        "isthmus_records",
        "Known records by what became of them; the classes add up to what is known.",
        labels=["connection", "kind", "class"],
    )
    for c in told:
        for kind, n in c.accounting.items():
            for part in ("applied", "excluded", "waiting", "case"):
                records.add_metric([c.name, kind, part], getattr(n, part))
    yield records


def _lanes(told: list[ConnectionStatus]) -> Iterator[Metric]:
    labels = ["connection", "lane"]
    depth = GaugeMetricFamily("isthmus_lane_depth", "Events and writes that wait.", labels=labels)
    oldest = GaugeMetricFamily("isthmus_lane_oldest_seconds", "Age of what has waited longest.", labels=labels)
    lag = GaugeMetricFamily(
        "isthmus_lane_lag_seconds",
        "From receipt to Ometria's yes, over the last ten minutes.",
        labels=[*labels, "quantile"],
    )
    for c in told:
        for lane, n in c.lanes.items():
            depth.add_metric([c.name, lane], n.depth)
            oldest.add_metric([c.name, lane], n.oldest_seconds)
            lag.add_metric([c.name, lane, "0.5"], n.p50_seconds)
            lag.add_metric([c.name, lane, "0.99"], n.p99_seconds)
    yield from (depth, oldest, lag)


def _counters(told: list[ConnectionStatus]) -> Iterator[Metric]:
    received = CounterMetricFamily("isthmus_events_received", "Events received.", labels=["connection"])
    events = GaugeMetricFamily(
        "isthmus_events",
        "How events ended, or that they wait; the states add up to what was received.",
        labels=["connection", "state"],
    )
    requests = CounterMetricFamily("isthmus_push_requests", "Pushes sent.", labels=["connection"])
    pushed = CounterMetricFamily(
        "isthmus_push_records", "Records pushed, and Ometria's word on them.", labels=["connection", "outcome"]
    )
    for c in told:
        received.add_metric([c.name], c.events.received)
        for state in ("duplicate", "stale", "processed", "skipped", "quarantined", "failed", "waiting"):
            events.add_metric([c.name, state], getattr(c.events, state))
        requests.add_metric([c.name], c.pushes.requests)
        for outcome, n in (
            ("sent", c.pushes.records),
            ("accepted", c.pushes.accepted),
            ("applied", c.pushes.applied),
            ("refused", c.pushes.refused),
        ):
            pushed.add_metric([c.name, outcome], n)
    yield from (received, events, requests, pushed)


def _cases(told: list[ConnectionStatus]) -> Metric:
    cases = GaugeMetricFamily(
        "isthmus_cases_open", "Open cases.", labels=["connection", "cause", "code", "severity", "owner"]
    )
    for c in told:
        for group in c.background.groups:
            cases.add_metric([c.name, group.cause, group.code, group.severity, group.owner], group.cases)
    return cases
