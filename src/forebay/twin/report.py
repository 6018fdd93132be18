"""What did a replay show? Names and values, the same on every run but for `machine`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from forebay.core import units
from forebay.twin import measures
from forebay.twin.tallies import Tally
from forebay.twin.trace import BrokenRow

_PPM = 1_000_000
#: Places of the sampled part of a series.
FREE, STRANDED = range(2)


@dataclass(slots=True)
class ReplayReport:
    """What a replay showed. Waits are from submission to the first placement."""

    trace: str = ""
    plant: str = ""
    policy: str = ""
    jobs: int = 0
    refused: int = 0
    #: Reason -> how many jobs, and the sentence that the first was told.
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    broken_rows: int = 0
    broken: list[BrokenRow] = field(default_factory=list)
    gpus: int = 0
    span_us: int = 0
    gpu_us: int = 0
    #: The part of it, and of the span, until the last job was submitted: after that the plant runs empty.
    gpu_us_arrivals: int = 0
    span_us_arrivals: int = 0
    work_watt_us: int = 0
    base_watt_us: int = 0
    #: What the feeds at the root of the electrical tree carry at the most.
    limit_w: int = 0
    price_micros_per_gpu_hour: int = 0
    #: Tenant -> invoiced, in minor units of each currency; `currency` is that of most invoices.
    invoiced_minor: dict[str, int] = field(default_factory=dict)
    other_currencies: dict[str, int] = field(default_factory=dict)
    currency: str = "USD"
    seed: int | None = None
    failures: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    seen: measures.Measures | None = None
    waits: Tally = field(default_factory=measures.waits_tally)
    slowdowns: Tally = field(default_factory=Tally)
    events: int = 0
    digest: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The report as names and values. Everything but `machine` is the same on every run."""
        seen = self.seen
        by_size = {} if seen is None else seen.by_size()
        by_tenant = {} if seen is None else seen.by_tenant()
        return {
            "trace": self.trace,
            "plant": self.plant,
            "policy": self.policy,
            "jobs": self.jobs,
            "refused": self.refused,
            "refusals": [
                {"reason": reason, "jobs": count, "example": example}
                for reason, (count, example) in sorted(self.refusals.items())
            ],
            "broken_rows": self.broken_rows,
            "broken": [
                {"file": row.file, row.counted: row.number, "detail": row.reason} for row in self.broken
            ],
            "gpus": self.gpus,
            "span_s": self.span_us // units.SECOND_US,
            "wait_s": self.waits.told(),
            "wait_s_by_gpus": _told_by(by_size, 0),
            "wait_s_by_tenant": _told_by(by_tenant, 0),
            "slowdown_milli": self.slowdowns.told(),
            "slowdown_milli_by_gpus": _told_by(by_size, 1),
            "slowdown_milli_by_tenant": _told_by(by_tenant, 1),
            "gpu_hours": _hours(self.gpu_us),
            "utilisation_ppm": _share(self.gpu_us, self.gpus * self.span_us),
            "utilisation_ppm_while_jobs_arrive": _share(
                self.gpu_us_arrivals, self.gpus * self.span_us_arrivals
            ),
            "energy_kwh": (self.work_watt_us + self.base_watt_us) // (1000 * units.HOUR_US),
            "energy_kwh_work": self.work_watt_us // (1000 * units.HOUR_US),
            "limit_w": self.limit_w,
            "price_per_gpu_hour": units.decimal_text(self.price_micros_per_gpu_hour),
            "invoiced": {
                tenant: units.decimal_text(units.minor_to_micros(minor, self.currency))
                for tenant, minor in sorted(self.invoiced_minor.items())
            },
            "invoiced_total": units.decimal_text(
                units.minor_to_micros(sum(self.invoiced_minor.values()), self.currency)
            ),
            "currency": self.currency,
            "ends": [] if seen is None else [_end(*each) for each in sorted(seen.ends.items())],
            "stops": [] if seen is None else [_stop(*each) for each in sorted(seen.stops.items())],
            "estimates": None if seen is None or seen.of_estimates is None else _wrong(seen.of_estimates),
            "reliability": None if seen is None else self._reliability(seen),
            "series": None if seen is None else self._series(seen),
            "events": self.events,
            "digest": self.digest,
            "machine": {"wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2)},
        }

    def _reliability(self, seen: measures.Measures) -> dict[str, Any]:
        lost = sum(lost for _, lost in seen.stops.values())
        return {
            "seed": self.seed,
            "failures": [
                {"kind": kind, "failures": count, "node_hours_out": hours, "rate": source}
                for kind, (count, hours, source) in self.failures.items()
            ],
            "restarts": seen.restarts,
            "jobs_stopped": seen.hit,
            "lost_gpu_hours": _hours(lost),
            "goodput_ppm": _share(seen.productive_gpu_us, self.gpus * self.span_us),
            "productive_ppm_of_held": _share(seen.productive_gpu_us, seen.held_gpu_us),
            "ettr_ppm": _share(seen.productive_gpu_us, seen.spent_gpu_us),
            "ettr_ppm_of_stopped": _share(seen.hit_productive_gpu_us, seen.hit_spent_gpu_us),
        }

    def _series(self, seen: measures.Measures) -> dict[str, Any]:
        series = seen.series
        return {
            "start_s": series.start // units.SECOND_US,
            "slice_s": series.slice_us // units.SECOND_US,
            "gpus_held": series.means(measures.HELD),
            "watts": series.means(measures.WATTS),
            "jobs_waiting": series.means(measures.QUEUE),
            "gpus_waiting": series.means(measures.QUEUE_GPUS),
            "gpus_down": series.means(measures.DOWN),
            "gpus_free": [sample[FREE] for sample in series.samples],
            "fragmentation_ppm": [_share(sample[STRANDED], sample[FREE]) for sample in series.samples],
        }


def _hours(gpu_us: int) -> str:
    return units.decimal_text(units.divide_half_even(gpu_us * units.MICROS, units.HOUR_US))


def _share(part: int, whole: int) -> int:
    return part * _PPM // max(1, whole)


def _end(reason: str, count: int) -> dict[str, Any]:
    return {"reason": reason, "jobs": count}


def _stop(reason: str, told: list[int]) -> dict[str, Any]:
    return {"reason": reason, "stops": told[0], "lost_gpu_hours": _hours(told[1])}


def _wrong(tally: Tally) -> dict[str, int]:
    """How far estimates were wrong: of how many, how many ran longer, and run times over estimates in thousandths."""
    over = sum(count for milli, count in tally.sizes.items() if milli > 1000)
    told = tally.told()
    return {
        "jobs": tally.count,
        "over": over,
        "p50_milli": told.get("p50", 0),
        "p90_milli": told.get("p90", 0),
    }


def _told_by(known: dict[str, measures.Tallies], place: int) -> dict[str, dict[str, int]]:
    found = {name: tallies[place].told() for name, tallies in known.items()}
    return {name: told for name, told in found.items() if told}
