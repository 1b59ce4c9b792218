"""What a process tells Prometheus: plain numbers, kept where they arise and read when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

METRICS_PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples: values by their labels, in the order of `labels`.

    A counter's name has no `_total`, which is added.
    """

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    labels: tuple[str, ...]
    samples: Mapping[tuple[str, ...], float]


def counter(
    name: str, text: str, samples: float | Mapping[tuple[str, ...], float], *labels: str
) -> Metric:
    """What only grows while the process lives. A number stands for the one without labels."""
    return Metric("counter", name, text, labels, _by_labels(samples))


def gauge(
    name: str, text: str, samples: float | Mapping[tuple[str, ...], float], *labels: str
) -> Metric:
    """What is so at this moment. As `counter`."""
    return Metric("gauge", name, text, labels, _by_labels(samples))


async def exposition(metrics: Sequence[Metric]) -> bytes:
    """The metrics, and those of the process itself, in Prometheus's text format."""
    # The library takes 70 ms to load, which nobody who is not watched should spend.
    return await asyncio.to_thread(_exposition, metrics)


def _exposition(metrics: Sequence[Metric]) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector

    class Collected(Collector):
        def collect(self) -> Iterable[Family]:
            return _families(metrics)

    registry = CollectorRegistry()
    registry.register(Collected())
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _families(metrics: Sequence[Metric]) -> Iterator[Family]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    for metric in metrics:
        make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = make(metric.name, metric.help, labels=metric.labels)
        for values, number in metric.samples.items():
            family.add_metric(values, number)
        yield family


def _by_labels(
    samples: float | Mapping[tuple[str, ...], float],
) -> Mapping[tuple[str, ...], float]:
    return samples if isinstance(samples, Mapping) else {(): samples}
