"""What would this plant have made of that trace? The same World and the same loop under a virtual clock.

Nothing of the domain is decided here: jobs become `SubmitGang`, a simulated engine reports starts and ends, time goes
to whatever comes next. The same trace and plant give the same journal digest on every machine.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forebay.core import claims, ids, money, supply, units, usage
from forebay.core.placements import gang as gangs
from forebay.core.placements.schedule import WALLTIME_S_MAX
from forebay.core.world import OpenWorld, World
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from forebay.twin.trace import Job, Trace

#: Where traces without a date begin: 2017-10-01T00:00:00Z.
EPOCH_US = 1_506_816_000 * units.SECOND_US
OPERATOR = ids.Principal("twin", ids.Role.OPERATOR)
SITE = ids.SiteId("site")
NODES_PER_RACK = 4


def sku(gpus_per_node: int) -> supply.Sku:
    """Racks of four nodes; 700 W a GPU with its share of the node, 10 kW a rack without work."""
    rack_w = 10_000 + NODES_PER_RACK * gpus_per_node * 900
    return supply.Sku(
        ids.SkuId(f"hgx{gpus_per_node}"), f"Nodes of {gpus_per_node} GPUs, four a rack", gpus_per_node,
        NODES_PER_RACK, rack_w, 10_000, 700, NODES_PER_RACK, "assumed",
    )  # fmt: skip


#: Micro-dollars per GPU-hour on demand, unless told otherwise.
PRICE_MICROS = 2_000_000


@dataclass(slots=True)
class ReplayReport:
    """What a replay showed. Waits are from submission to the first placement."""

    policy: str = ""
    jobs: int = 0
    refused: int = 0
    broken_rows: int = 0
    gpus: int = 0
    span_us: int = 0
    waits_us: list[int] = field(default_factory=list)
    #: The same by class of size, smallest first.
    waits_by_size: dict[str, list[int]] = field(default_factory=dict)
    gpu_us: int = 0
    #: The part of it, and of the span, until the last job was submitted: after that the plant runs empty.
    gpu_us_arrivals: int = 0
    span_us_arrivals: int = 0
    work_watt_us: int = 0
    base_watt_us: int = 0
    price_micros_per_gpu_hour: int = PRICE_MICROS
    #: Tenant -> invoiced, in minor units of `currency`.
    invoiced_minor: dict[str, int] = field(default_factory=dict)
    currency: str = "USD"
    events: int = 0
    digest: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The report as names and values. Everything but `machine` is the same on every run."""
        return {
            "policy": self.policy,
            "jobs": self.jobs,
            "refused": self.refused,
            "broken_rows": self.broken_rows,
            "gpus": self.gpus,
            "span_s": self.span_us // units.SECOND_US,
            "wait_s": _percentiles(self.waits_us),
            "wait_s_by_gpus": {size: _percentiles(waits) for size, waits in self.waits_by_size.items()},
            "gpu_hours": units.decimal_text(
                units.divide_half_even(self.gpu_us * units.MICROS, units.HOUR_US)
            ),
            "utilisation_ppm": self.gpu_us * 1_000_000 // max(1, self.gpus * self.span_us),
            "utilisation_ppm_while_jobs_arrive": self.gpu_us_arrivals
            * 1_000_000
            // max(1, self.gpus * self.span_us_arrivals),
            "energy_kwh": (self.work_watt_us + self.base_watt_us) // (1000 * units.HOUR_US),
            "energy_kwh_work": self.work_watt_us // (1000 * units.HOUR_US),
            "price_per_gpu_hour": units.decimal_text(self.price_micros_per_gpu_hour),
            "invoiced": {
                tenant: units.decimal_text(units.minor_to_micros(minor, self.currency))
                for tenant, minor in sorted(self.invoiced_minor.items())
            },
            "invoiced_total": units.decimal_text(
                units.minor_to_micros(sum(self.invoiced_minor.values()), self.currency)
            ),
            "currency": self.currency,
            "events": self.events,
            "digest": self.digest,
            "machine": {"wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2)},
        }


def _percentiles(values: list[int]) -> dict[str, int]:
    """Whole seconds: mean, and nearest-rank percentiles."""
    if not values:
        return {}
    ordered = sorted(values)
    ranks = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    found = {name: ordered[max(0, -(-len(ordered) * rank // 100) - 1)] for name, rank in ranks.items()}
    found["mean"] = sum(ordered) // len(ordered)
    return {name: value // units.SECOND_US for name, value in found.items()}


def run(
    path: Path,
    gpus: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
    price_micros_per_gpu_hour: int = PRICE_MICROS,
    order: gangs.Order = gangs.Order.OVERTAKE,
    gpus_per_node: int = 8,
    depth: int = 100,
) -> ReplayReport:
    """Replay a trace on one site of `gpus` GPUs, in whole nodes. Raises `trace.TraceError`, `ValueError`.

    All use is on demand, at one price; `order`, with its `depth`, says who may go before the first that does not fit.
    `progress` is called with (jobs submitted, jobs in the trace) now and then.
    """
    if gpus < gpus_per_node or gpus % gpus_per_node:
        raise ValueError(f"--gpus is {gpus}; a multiple of {gpus_per_node} is meant, for whole nodes")
    kind = sku(gpus_per_node)
    policy = gangs.Policy(order=order, depth=depth)
    wall, cpu = time.monotonic(), time.process_time()
    jobs = Trace(path)
    clock = VirtualClock(EPOCH_US)
    waits = _Waits(clock)
    twin = Twin(clock, SimulatedEngine(clock, waits.fate), DigestJournal())
    for answer in twin.ask(OPERATOR, *_plant(kind, gpus, price_micros_per_gpu_hour, jobs.tenants, policy)):
        assert not isinstance(answer, ids.Refusal), f"the twin's own plant is refused: {answer}"
    named = f"{order.value}, depth {depth}" if order is gangs.Order.EASY_DEPTH else order.value
    report = ReplayReport(named, gpus=gpus, price_micros_per_gpu_hour=price_micros_per_gpu_hour)
    # A batch run makes no cycles to speak of: collecting among millions of live objects costs a third of the time.
    gc.freeze()
    gc.disable()
    try:
        _replay(twin, waits, jobs, kind.id, report, progress)
    finally:
        gc.enable()
        gc.unfreeze()
    _conclude(twin, waits, report)
    report.broken_rows = len(jobs.broken)
    report.wall_s, report.cpu_s = time.monotonic() - wall, time.process_time() - cpu
    return report


class _Waits:
    """Durations that the trace knows, and how long each job waited for its first placement."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.duration_us: dict[str, int] = {}
        self.submitted_us: dict[str, int] = {}
        #: Waits of those that were placed, by GPUs.
        self.waits_us: dict[int, list[int]] = {}

    def fate(self, effect: gangs.RunGang) -> Fate:
        """A job runs for as long as it did in the trace."""
        submitted = self.submitted_us.pop(effect.gang, None)
        if submitted is not None:
            size = sum(run.nodes * run.mask.bit_count() for run in effect.runs)
            self.waits_us.setdefault(size, []).append(self._clock.now() - submitted)
        return Fate(self.duration_us[effect.gang])


def _plant(
    kind: supply.Sku, gpus: int, price_micros_per_gpu_hour: int, tenants: list[str], policy: gangs.Policy
) -> Iterator[ids.Command]:
    """One site of `gpus` GPUs with the power they need, and a contract for use on demand for everybody."""
    nodes = gpus // kind.gpus_per_node
    racks = tuple(
        supply.RackPlan(
            ids.RackId(f"r{place:05d}"),
            kind.id,
            ids.FeedId("feed"),
            nodes=min(kind.nodes_per_rack, nodes - first),
        )
        for place, first in enumerate(range(0, nodes, kind.nodes_per_rack))
    )
    feed = supply.FeedPlan(ids.FeedId("feed"), len(racks) * kind.rack_w)
    hall = supply.HallPlan(ids.HallId("hall"), racks)
    yield OpenWorld("replay")
    yield supply.ApplyCatalogue((kind,))
    yield supply.ApplySite(supply.SitePlan(SITE, "Replay", "none", "US", "UTC", (feed,), (hall,)))
    yield gangs.ApplyPolicy(policy)
    yield money.ApplyPriceList(
        money.PriceList(1, "USD", 0, (money.Price(gangs.Tier.ON_DEMAND, kind.id, price_micros_per_gpu_hour),))
    )
    for tenant in tenants:
        contract = ids.ContractId(f"contract-{tenant}")
        yield claims.SignContract(
            claims.ContractPlan(contract, 1, "replay", ids.TenantId(tenant), "USD", on_demand=True)
        )


def _replay(
    twin: Twin,
    waits: _Waits,
    trace: Trace,
    sku: ids.SkuId,
    report: ReplayReport,
    progress: Callable[[int, int], None],
) -> None:
    for job in trace.jobs():
        at = EPOCH_US + job.submit_us
        twin.run_until(at)
        twin.clock.advance_to(at)
        spec = _spec(job, sku)
        report.jobs += 1
        if spec.id in waits.duration_us:
            report.refused += 1  # a name that stands twice in the trace: the first one has it
            continue
        waits.submitted_us[spec.id] = at
        waits.duration_us[spec.id] = job.duration_us
        (answer,) = twin.ask(OPERATOR, gangs.SubmitGang(spec))
        if isinstance(answer, ids.Refusal):
            report.refused += 1
        if report.jobs % 1000 == 0:
            progress(report.jobs, trace.count)
    report.span_us_arrivals = twin.world.now - EPOCH_US
    report.gpu_us_arrivals = _metered_us(twin.world)
    twin.run_until(None)
    progress(trace.count, trace.count)


def _metered_us(world: World) -> int:
    """GPU-microseconds so far: those invoiced, and those of the open period."""
    state = world.state
    invoiced = sum(line.gpu_us for invoice in state.money.invoices.values() for line in invoice.lines)
    return invoiced + sum(line.gpu_us for line in usage.lines(state.usage, state.supply, world.now))


def _spec(job: Job, sku: ids.SkuId) -> gangs.Spec:
    tenant = ids.TenantId(job.tenant)
    name = ids.GangId(f"{job.tenant}.{job.name}")
    return gangs.Spec(
        name,
        tenant,
        gangs.Tier.ON_DEMAND,
        sku,
        job.gpus,
        min(job.walltime_s or WALLTIME_S_MAX, WALLTIME_S_MAX),
    )


def _size(gpus: int) -> str:
    """A class of sizes for the report."""
    for most in (1, 2, 4, 8, 16, 32, 64):
        if gpus <= most:
            return f"{most // 2 + 1}-{most}" if most > 2 else f"{most}"
    return "65-"


def _conclude(twin: Twin, waits: _Waits, report: ReplayReport) -> None:
    """Close the last period, and read the result off the World."""
    end = twin.world.now
    twin.ask(OPERATOR, money.CloseBillingPeriod("end of the trace"))
    twin.world.check()
    report.span_us = end - EPOCH_US
    for gpus in sorted(waits.waits_us):
        report.waits_us += waits.waits_us[gpus]
        report.waits_by_size.setdefault(_size(gpus), []).extend(waits.waits_us[gpus])
    for invoice in twin.world.state.money.invoices.values():
        total = report.invoiced_minor.get(invoice.tenant, 0) + invoice.total_minor
        report.invoiced_minor[invoice.tenant] = total
        report.work_watt_us += sum(line.energy_uj for line in invoice.lines)
    report.gpu_us = _metered_us(twin.world)
    base_w = sum(rack.base_w for rack in twin.world.state.supply.racks.values())
    report.base_watt_us = base_w * report.span_us
    report.events, digest = twin.journal.head()
    report.digest = digest.hex()
