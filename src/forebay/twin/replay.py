"""What would this plant have made of that trace? The same World and the same loop under a virtual clock.

Nothing of the domain is decided here: jobs become `SubmitGang`, a simulated engine reports starts and ends, time goes
to whatever comes next. The same trace, plant and seed give the same journal digest on every machine.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from forebay.core import ids, money, units, usage
from forebay.core.placements import gang as gangs
from forebay.core.placements.estimates import Estimates
from forebay.core.supply import curtailments
from forebay.core.world import World
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.loop.inbox import LoopError
from forebay.loop.replay import Replay
from forebay.twin import plants, unrecorded
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from forebay.twin.faults import Faults, Rates
from forebay.twin.mapping import JobMap, Mapper
from forebay.twin.measures import Measures, waits_tally
from forebay.twin.report import ReplayReport
from forebay.twin.trace import Job, Trace

Progress = Callable[[int, int], None]
#: Slices of time that a report begins with, over the time in which jobs come; it may come to have twice as many.
SLICES = 240
#: Within so long a curtailment is met, seconds.
RESPOND_S = 300
#: A World keeps at most so many gangs that are over beside those that were there when a period was last closed.
ENDED_MAX = 200_000
#: Work that still waits when nothing runs any more is waited for so long: a term may begin, a node be repaired.
PATIENCE_US = 30 * units.DAY_US


class LessPower(NamedTuple):
    """A feed carries this share of its limit at the most, for so long, so long after the trace began."""

    feed: str
    share_ppm: int
    after_s: int
    for_s: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What a trace is replayed on, and how."""

    plant: plants.ReplayPlant
    policy: str = ""
    mapping: JobMap = field(default_factory=JobMap)
    #: None for a plant on which nothing fails.
    seed: int | None = None
    rates: Rates = field(default_factory=Rates)
    #: Submissions come so much closer to each other: 2,000,000 is twice the load.
    load_ppm: int = 1_000_000
    #: Feeds that are to carry less for a while, known from the beginning.
    curtailments: tuple[LessPower, ...] = ()
    #: Whether records are made for the digest, and whether more is measured than waits and use.
    recorded: bool = True
    measured: bool = True


def nothing(done: int, of: int) -> None:
    """Progress that nobody wants to see."""


def run(
    path: Path,
    gpus: int,
    progress: Progress = nothing,
    price_micros_per_gpu_hour: int = plants.PRICE_MICROS,
    order: gangs.Order = gangs.Order.OVERTAKE,
    gpus_per_node: int = 8,
    depth: int = 100,
) -> ReplayReport:
    """Replay a trace on one site of `gpus` GPUs, in whole nodes. Raises `trace.TraceError`, `ValueError`.

    All use is on demand, at one price; `order`, with its `depth`, says who may go before the first that does not fit.
    `progress` is called with (jobs submitted, jobs in the trace) now and then.
    """
    policy = gangs.Policy(order=order, depth=depth)
    plant = plants.of_gpus(gpus, gpus_per_node, price_micros_per_gpu_hour, policy)
    setup = Setup(plant, policy_told(policy))
    return run_trace(Trace(path), setup, progress)


def policy_told(policy: gangs.Policy) -> str:
    """A policy's order as reports name it."""
    limited = policy.order is gangs.Order.EASY_DEPTH
    told = f"{policy.order.value}, depth {policy.depth}" if limited else policy.order.value
    return f"{told}, estimates learned" if policy.estimates is Estimates.LEARNED else told


def run_trace(trace: Trace, setup: Setup, progress: Progress = nothing) -> ReplayReport:
    """Replay a trace that was read. Raises `tree.DocumentError` where the plant's documents do not hold."""
    wall, cpu = time.monotonic(), time.process_time()
    report = run_jobs(trace.jobs(), trace.count, trace.span_us, trace.tenants, setup, progress)
    report.trace = trace.path.name
    report.broken_rows, report.broken = trace.broken_count, trace.broken
    report.wall_s, report.cpu_s = time.monotonic() - wall, time.process_time() - cpu
    return report


def run_jobs(
    jobs: Iterable[Job],
    count: int,
    span_us: int,
    tenants: list[str],
    setup: Setup,
    progress: Progress = nothing,
) -> ReplayReport:
    """Replay these jobs, in order of submission."""
    return _Run(count, span_us, tenants, setup, progress).of(jobs)


class _Waits:
    """What is known of jobs where nothing more is measured: how long they run, and how long each waited."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.duration_us: dict[str, int] = {}
        self.submitted_us: dict[str, int] = {}
        self.waits = waits_tally()

    def fate(self, effect: gangs.RunGang) -> Fate:
        """A job runs for as long as it did in the trace."""
        submitted = self.submitted_us.pop(effect.gang, None)
        if submitted is not None:
            self.waits.add(self._clock.now() - submitted)
        return Fate(self.duration_us[effect.gang])


class _Run:
    """One replay."""

    def __init__(
        self, count: int, span_us: int, tenants: list[str], setup: Setup, progress: Progress
    ) -> None:
        self.setup = setup
        self.progress = progress
        self.count = count
        self.begin = setup.plant.begins_at
        self.clock = VirtualClock(self.begin)
        self.waits = _Waits(self.clock)
        self.engine = SimulatedEngine(self.clock, self._fate)
        # Who restarts work has to know what its checkpoints kept.
        self.measures: Measures | None = None
        if setup.measured or setup.seed is not None:
            slice_us = max(60 * units.SECOND_US, span_us * 1_000_000 // setup.load_ppm // SLICES)
            slice_us -= slice_us % units.SECOND_US
            restart_us = 0 if setup.seed is None else setup.rates.restart_s * units.SECOND_US
            self.measures = Measures(self.begin, slice_us, restart_us=restart_us, sampled=self._sample)
        replay = Replay(World)
        if not setup.recorded:
            replay.codec = unrecorded.Unrecorded(World.EVENTS)
        journal = DigestJournal() if setup.recorded else unrecorded.NoJournal()
        seen = self.measures
        self.twin = Twin(
            self.clock, self.engine, journal, replay=replay,
            watch=None if seen is None else seen.watch, passing=None if seen is None else seen.passing,
        )  # fmt: skip
        self.report = ReplayReport(
            plant=setup.plant.name, policy=setup.policy, seed=setup.seed,
            price_micros_per_gpu_hour=setup.plant.price_micros, seen=self.measures,
        )  # fmt: skip
        plants.apply(self.twin, setup.plant, setup.mapping.tenants(tenants))
        if not setup.policy:
            self.report.policy = policy_told(self.twin.world.state.placements.policy)
        self._curtail()
        if (
            self.measures is not None
            and self.twin.world.state.placements.policy.estimates is Estimates.LEARNED
        ):
            self.measures.judge_estimates()
        self.mapper = Mapper(setup.mapping, self.twin.world)
        #: Gangs that were left when a period was last closed for there were so many.
        self.left = 0
        self._fate_of = self.waits.fate if self.measures is None else self.measures.fate
        self._prepare()

    def _curtail(self) -> None:
        """Announce what is planned. Raises `ValueError` for a feed that there is not."""
        feeds = self.twin.world.state.supply.feeds
        for number, each in enumerate(self.setup.curtailments, 1):
            feed = feeds.get(ids.FeedId(each.feed))
            if feed is None:
                raise ValueError(f"there is no feed {each.feed} (known: {', '.join(sorted(feeds))})")
            start_at = self.begin + each.after_s * units.SECOND_US
            command = curtailments.CurtailPower(
                ids.CurtailmentId(f"curtailment-{number}"), curtailments.Carrier.FEED, feed.id,
                feed.limit_w * each.share_ppm // 1_000_000, 0, start_at,
                start_at + each.for_s * units.SECOND_US, RESPOND_S, "replay",
            )  # fmt: skip
            (answer,) = self.twin.ask(plants.OPERATOR, command)
            if isinstance(answer, ids.Refusal):
                raise ValueError(f"{each.feed} cannot be curtailed like that: {answer.detail}")

    def _fate(self, effect: gangs.RunGang) -> Fate:
        return self._fate_of(effect)

    def _sample(self) -> tuple[int, int]:
        """GPUs that are free, and those of them that no gang of whole nodes could use."""
        free = stranded = 0
        for pool in self.twin.world.placed.index.pools.values():
            for gpus, racks in enumerate(pool.by_free):
                if racks and gpus:
                    here = gpus * sum(map(int.bit_count, racks.values()))
                    free += here
                    if gpus < pool.gpus_per_node:
                        stranded += here
        return free, stranded

    def _prepare(self) -> None:
        supplied, seen = self.twin.world.state.supply, self.measures
        gpus = {
            node: supplied.skus[rack.sku].gpus_per_node
            for rack in supplied.racks.values()
            for node in range(rack.first_node, rack.first_node + rack.nodes)
        }
        self.report.gpus = sum(gpus.values())
        self.base_w = sum(rack.base_w for rack in supplied.racks.values())
        self.base_w += sum(feed.base_w for feed in supplied.feeds.values())
        self.report.limit_w = sum(feed.limit_w for feed in supplied.feeds.values() if not feed.parent)
        self.faults: Faults | None = None
        if seen is not None:
            seen.know_down(lambda: sum(gpus[node] for node in supplied.failed))
            seen.base(self.base_w)
        if self.setup.seed is not None:
            checks = self.twin.world.state.placements.policy.failing.checks
            self.faults = Faults(self.setup.rates, self.setup.seed, self.begin, supplied, checks)
            self.twin.beside = self.faults

    def of(self, jobs: Iterable[Job]) -> ReplayReport:
        """Replay, and say what it showed."""
        # A batch run makes no cycles to speak of: collecting among millions of objects costs a third of the time.
        enabled = gc.isenabled()
        gc.freeze()
        gc.disable()
        try:
            self._replay(jobs)
        finally:
            if enabled:
                gc.enable()
            gc.unfreeze()
        self._conclude()
        return self.report

    def _replay(self, jobs: Iterable[Job]) -> None:
        twin, clock, report, spec_of = self.twin, self.clock, self.report, self.mapper.spec
        begin, load_ppm, seen, waits = self.begin, self.setup.load_ppm, self.measures, self.waits
        skus, step = twin.world.state.supply.skus, twin.loop.step
        for job in jobs:
            at = begin + (job.submit_us if load_ppm == 1_000_000 else job.submit_us * 1_000_000 // load_ppm)
            twin.run_until(at)
            clock.advance_to(at)
            spec = spec_of(job)
            report.jobs += 1
            if spec.id in (waits.duration_us if seen is None else seen.jobs):
                self._refuse(
                    "duplicate_id", f"{spec.id} stands twice in the trace: the first one has the name"
                )
                continue
            if seen is None:
                waits.submitted_us[spec.id] = at
                waits.duration_us[spec.id] = job.duration_us
            else:
                sku = skus.get(spec.sku)
                seen.submit(spec, job.duration_us, at, 0 if sku is None else sku.gpu_w * spec.gpus)
            (answer,) = step((ids.Asked(gangs.SubmitGang(spec), plants.OPERATOR),))
            if isinstance(answer, LoopError):
                raise answer
            if isinstance(answer, ids.Refusal):
                self._refuse(answer.code, answer.detail)
                if seen is None:
                    del waits.duration_us[spec.id], waits.submitted_us[spec.id]
                else:
                    seen.refused(spec)
            if report.jobs % 1000 == 0:
                self.progress(report.jobs, self.count)
                self._let_go()
        report.span_us_arrivals = twin.world.now - begin
        report.gpu_us_arrivals = metered_us(twin.world)
        twin.run_until(None)
        if seen is not None and seen.waiting():
            twin.run_until(None, lambda due: seen.waiting() and due <= seen.last_at + PATIENCE_US)
        self.progress(self.count, self.count)

    def _let_go(self) -> None:
        """Of work that is over the World keeps what a billing period needs: with very many jobs a month, close it."""
        gangs_now = len(self.twin.world.state.placements.gangs)
        if gangs_now > self.left + ENDED_MAX:
            self.twin.ask(plants.OPERATOR, money.CloseBillingPeriod("very much work is over"))
            self.left = len(self.twin.world.state.placements.gangs)

    def _refuse(self, code: str, detail: str) -> None:
        self.report.refused += 1
        count, example = self.report.refusals.get(code, (0, detail))
        self.report.refusals[code] = count + 1, example

    def _conclude(self) -> None:
        """Close the last period, and read the result off the World."""
        twin, report, seen = self.twin, self.report, self.measures
        end = twin.world.now
        twin.ask(plants.OPERATOR, money.CloseBillingPeriod("end of the trace"))
        twin.world.check()
        state = twin.world.state
        if seen is not None:
            end = max(seen.last_at, self.begin + report.span_us_arrivals)
            seen.series.advance(end)
            for waits, slowdowns in seen.by_size().values():
                report.waits.merge(waits)
                report.slowdowns.merge(slowdowns)
            if seen.waiting():
                count = seen.waiting_count()
                report.refusals["never_started"] = count, "it still waited when nothing ran any more"
        else:
            report.waits = self.waits.waits
        report.span_us = end - self.begin
        self._money(state.money)
        report.work_watt_us = sum(invoice.energy_uj for invoice in state.money.invoices.values())
        report.gpu_us = metered_us(twin.world)
        if seen is not None:
            report.work_watt_us, report.gpu_us = seen.metered_uj, seen.metered_gpu_us
        report.base_watt_us = self.base_w * report.span_us
        if self.faults is not None:
            report.failures = self.faults.as_told()
        report.events, digest = twin.journal.head()
        report.digest = digest.hex() if self.setup.recorded else ""

    def _money(self, state: money.State) -> None:
        by_currency: dict[str, int] = {}
        for invoice in state.invoices.values():
            by_currency[invoice.currency] = by_currency.get(invoice.currency, 0) + 1
        if by_currency:
            self.report.currency = max(sorted(by_currency), key=lambda currency: by_currency[currency])
        for invoice in state.invoices.values():
            if invoice.currency == self.report.currency:
                total = self.report.invoiced_minor.get(invoice.tenant, 0) + invoice.total_minor
                self.report.invoiced_minor[invoice.tenant] = total


def metered_us(world: World) -> int:
    """GPU-microseconds so far: those invoiced, and those of the open period."""
    state = world.state
    invoiced = sum(invoice.gpu_us for invoice in state.money.invoices.values())
    return invoiced + sum(line.gpu_us for line in usage.lines(state.usage, state.supply, world.now))
