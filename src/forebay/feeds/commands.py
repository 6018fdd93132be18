"""What does a document ask of the World? One command, with the way back from a refusal to the line it is about."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from forebay.core import claims, ids, money, supply, units
from forebay.core.claims import payments
from forebay.core.placements import campaigns, gang, projects, substitutes
from forebay.core.supply import blocks, storage
from forebay.core.units import SECOND_US
from forebay.feeds import (
    divided,
    failing,
    gang_parts,
    kinds,
    maintained,
    openings,
    plant_kinds,
    quantities,
    reading,
    stored,
    successions,
    taxed,
    tenancy,
    terms,
    tree,
    zones,
)
from forebay.feeds.policy_places import POLICY_PLACES

_RANGE = re.compile(r"([^\[\]]*)\[([0-9]{1,6})-([0-9]{1,6})\]([^\[\]]*)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RACKS_MAX = 20_000
_WEEKEND = (claims.workdays.Weekday.SATURDAY, claims.workdays.Weekday.SUNDAY)
#: No date that can be written lies behind this.
_LAST_AT = quantities.instant_us(f"{quantities.YEAR_MAX}-12-31T23:59:59Z")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a document is read against: who reads it, when, and what is recorded already."""

    #: What `now` is, microseconds since the Unix epoch.
    now: int
    #: Start of every tranche that is signed: `start: now` means the moment of signing, also when read again.
    started: Mapping[str, int] = field(default_factory=dict)
    #: Whose gangs these are when they do not say; "" when they must.
    tenant: str = ""
    #: Folder that the document lies in; None when it lies nowhere, and programs may name no folder.
    folder: Path | None = None
    #: Where a gang works whose program names no folder.
    work_folder: Callable[[str], str] = lambda gang_id: "/"
    #: Interpreter that `{python}` stands for.
    python: str = sys.executable


class Wanted(NamedTuple):
    """A document as a command; `about` is the id of what it makes."""

    document: reading.Document
    command: ids.Command
    about: str
    #: Field path of a refusal -> path in the document, where they differ.
    places: Mapping[str, reading.Path]
    #: The schedule of a site that is applied with it.
    beside: Wanted | None = None

    def with_schedule(self, other: Wanted) -> Wanted:
        """A site with its schedule, in one command."""
        assert isinstance(self.command, supply.ApplySite), "a site"
        assert isinstance(other.command, blocks.ApplySchedule), "and its schedule"
        return self._replace(command=replace(self.command, schedule=other.command.plan), beside=other)

    def blamed(self, refusal: ids.Refusal) -> Wanted:
        """Of a site with its schedule, the one of both that a refusal is about."""
        about = refusal.field.partition(".")[0]
        return self.beside if self.beside is not None and about == "schedule" else self

    def problem(self, refusal: ids.Refusal, detail: str) -> tree.Problem:
        """A refusal of the command, told where it stands in the document."""
        blamed = self.blamed(refusal)
        if blamed is not self:
            return blamed.problem(replace(refusal, field=refusal.field.partition(".")[2]), detail)
        return self.document.problem(_back(refusal.field, self.places), detail, refusal.code)


class _Mistake(Exception):
    def __init__(self, path: reading.Path, detail: str, code: str = "bad_document") -> None:
        super().__init__(detail)
        self.path = path
        self.code = code


def command_of(document: reading.Document, setting: Setting) -> Wanted:
    """The command that a document stands for. Raises `tree.DocumentError`."""
    try:
        return _MAKERS[document.kind](document, setting)
    except _Mistake as error:
        raise tree.DocumentError([document.problem(error.path, str(error), error.code)]) from None


def _catalogue(document: reading.Document, setting: Setting) -> Wanted:
    body: plant_kinds.CatalogueDocument = document.body
    skus = tuple(
        supply.Sku(
            ids.SkuId(sku.id), sku.title, sku.gpus_per_node, sku.nodes_per_rack, sku.rack_power, sku.base_power,
            sku.gpu_power, sku.healthy_nodes, sku.source, sku.counts, sku.gpus_per_superchip, sku.liquid_share,
        )
        for sku in body.skus
    )  # fmt: skip
    return Wanted(document, supply.ApplyCatalogue(skus), "catalogue", {})


def _site(document: reading.Document, setting: Setting) -> Wanted:
    body: plant_kinds.SiteDocument = document.body
    places: dict[str, reading.Path] = {}
    halls = []
    for i, hall in enumerate(body.halls):
        racks: list[supply.RackPlan] = []
        for j, entry in enumerate(hall.racks):
            here: reading.Path = ("halls", i, "racks", j)
            for name in _expanded(entry.id, (*here, "id")):
                places[f"halls[{i}].racks[{len(racks)}]"] = here
                racks.append(
                    supply.RackPlan(
                        ids.RackId(name), ids.SkuId(entry.sku), ids.FeedId(entry.feed), entry.row, entry.nodes,
                        entry.limit, ids.BlockId(entry.block), ids.LoopId(entry.loop), entry.spine,
                    )
                )  # fmt: skip
        halls.append(supply.HallPlan(ids.HallId(hall.id), tuple(racks)))
    feeds = tuple(
        supply.FeedPlan(ids.FeedId(feed.id), feed.limit, ids.FeedId(feed.parent), feed.base)
        for feed in body.feeds
    )
    switches = tuple(
        supply.SwitchPlan(ids.SwitchId(entry.id), _racks(entry.racks, ("switches", place, "racks")))
        for place, entry in enumerate(body.switches)
    )
    loops = tuple(supply.LoopPlan(ids.LoopId(loop.id), loop.liquid, loop.air) for loop in body.loops)
    plan = supply.SitePlan(
        ids.SiteId(body.id),
        body.title,
        body.region,
        body.jurisdiction,
        body.zone,
        feeds,
        tuple(halls),
        switches,
        loops,
    )
    return Wanted(document, supply.ApplySite(plan), body.id, places)


def _racks(names: list[str], path: reading.Path) -> tuple[ids.RackId, ...]:
    """Racks that are named one by one, or as ranges."""
    each = (_expanded(name, (*path, place)) for place, name in enumerate(names))
    return tuple(ids.RackId(name) for some in each for name in some)


def _expanded(name: str, path: reading.Path) -> list[str]:
    """`r[01-08]` as r01 to r08; any other name as it is."""
    found = _RANGE.fullmatch(name)
    names = [name]
    if found:
        before, first, last, after = found.groups()
        count = int(last) - int(first) + 1
        if not 1 <= count <= RACKS_MAX:
            raise _Mistake(path, f"{name!r} stands for {count} racks: from 1 to {RACKS_MAX} are meant")
        names = [f"{before}{number:0{len(first)}}{after}" for number in range(int(first), int(last) + 1)]
    for each in names:
        if not ids.valid_name(each):
            raise _Mistake(path, f"{each!r} is not a name: {ids.NAME_RULE}; or a range such as 'r[01-08]'")
    return names


def _policy(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.PolicyDocument = document.body
    policy = gang.Policy(
        body.version,
        body.overtake,
        body.backoff,
        body.backoff_max,
        body.turnover,
        body.start_timeout,
        body.interruptions,
        body.order,
        body.depth,
        body.restart,
        body.scrub,
        body.check,
        body.reclaim_ramp,
        body.scrub_pool,
        failing=failing.failing_of(body.failing),
        half_life_s=body.half_life,
        weigh_s=body.weigh,
        age_s=body.age,
        ramp_w_per_minute=body.ramp_per_minute,
        estimates=body.estimates,
        walltime_s_default=body.walltime_default,
        walltime_s_max=body.walltime_max,
        estimates_wait_s=body.estimates_wait,
        among=tenancy.among_of(body.among_tenants),
        wipe_reported=body.wipe_reported,
    )
    return Wanted(document, gang.ApplyPolicy(policy), str(body.version), POLICY_PLACES)


def _schedule(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.ScheduleDocument = document.body
    milestones = tuple(_milestone(entry, body.zone, place) for place, entry in enumerate(body.milestones))
    stages = tuple(
        blocks.PowerStage(
            ids.StageId(entry.id), entry.kind, entry.contracted,
            entry.contracted if entry.connected is None else entry.connected, ids.MilestoneId(entry.start),
            ids.MilestoneId(entry.end),
        )
        for entry in body.power
    )  # fmt: skip
    causes = tuple(
        blocks.Cause(ids.CauseId(entry.id), entry.share, entry.chance, entry.delay) for entry in body.causes
    )
    planned = tuple(
        blocks.BlockPlan(
            ids.BlockId(entry.id), ids.SkuId(entry.sku), entry.racks, tuple(map(ids.MilestoneId, entry.after)),
            ids.HallId(entry.hall), entry.row, ids.FeedId(entry.feed), ids.LoopId(entry.loop),
        )
        for entry in body.blocks
    )  # fmt: skip
    plan = blocks.SchedulePlan(ids.SiteId(body.site), milestones, planned, stages, causes, body.pue)
    return Wanted(document, blocks.ApplySchedule(plan), body.site, {"stages": ("power",)})


def _milestone(entry: kinds.MilestoneEntry, zone: str | None, place: int) -> blocks.MilestonePlan:
    here: reading.Path = ("milestones", place)
    planned_at = 0 if entry.planned is None else _instant(entry.planned, zone, (*here, "planned"))
    p50_s, p90_s = _duration(entry.duration, (*here, "duration"))
    return blocks.MilestonePlan(
        ids.MilestoneId(entry.id), entry.kind, tuple(map(ids.MilestoneId, entry.after)), planned_at,
        entry.late_p90, p50_s, p90_s, tuple(map(ids.CauseId, entry.causes)),
        0 if entry.reached is None else _instant(entry.reached, zone, (*here, "reached")),
    )  # fmt: skip


def _duration(entry: kinds.DurationEntry | int, path: reading.Path) -> tuple[int, int]:
    """Seconds in even odds and in nine cases of ten; of three points, those of their triangular distribution."""
    if isinstance(entry, int):
        return entry, entry
    if entry.p50 is not None and entry.low is entry.likely is entry.high is None:
        return entry.p50, entry.p50 if entry.p90 is None else entry.p90
    points = [each for each in (entry.low, entry.likely, entry.high) if each is not None]
    if entry.p50 is entry.p90 is None and len(points) == 3 and points == sorted(points):
        return triangular_s(*points)
    raise _Mistake(path, "either p50 and p90 are meant, or low, likely and high in this order")


def triangular_s(low: int, likely: int, high: int) -> tuple[int, int]:
    """The quantiles at one half and nine tenths of a triangular distribution, rounded up to seconds.

    Below the mode x = a + sqrt(q (b - a) (c - a)), above it x = b - sqrt((1 - q) (b - a) (b - c)), with a the least,
    c the mode and b the most (Kotz and van Dorp, Beyond Beta, 2004, chapter 1).
    """
    width = high - low

    def at(tenths: int) -> int:
        if tenths * width <= 10 * (likely - low):
            return low + math.isqrt(max(0, tenths * width * (likely - low) // 10 - 1)) + 1 if width else low
        return high - math.isqrt((10 - tenths) * width * (high - likely) // 10)

    return min(at(5), high), min(at(9), high)


def _promise_policy(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.PromisePolicyDocument = document.body
    policy = claims.PromisePolicy(
        body.version,
        body.confidence,
        body.shorting,
        tuple(map(ids.ContractId, body.protected)),
        body.notice_grace,
        body.spares,
    )
    return Wanted(document, claims.ApplyPromisePolicy(policy), str(body.version), {})


def _business_calendar(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.BusinessCalendarDocument = document.body
    weekend = _WEEKEND if body.weekend is None else tuple(dict.fromkeys(body.weekend))
    calendar = claims.workdays.BusinessCalendar(
        ids.CalendarId(body.id), body.version, body.zone, weekend,
        tuple(sorted(set(body.holidays))), body.closes, body.until, zones.offsets(body.zone, body.until),
    )  # fmt: skip
    return Wanted(document, claims.workdays.ApplyBusinessCalendar(calendar), body.id, {})


def _price_list(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.PriceListDocument = document.body
    # 0 is at once: the core keeps no date for such a list, so that the same text again changes nothing.
    effective_at = 0 if body.effective == "now" else _instant(body.effective, body.zone, ("effective",))
    prices = tuple(
        money.Price(each.tier, ids.SkuId(each.sku), each.price_per_gpu_hour) for each in body.prices
    )
    command = money.ApplyPriceList(money.PriceList(body.version, body.currency, effective_at, prices))
    return Wanted(document, command, str(body.version), {})


def _contract(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.ContractDocument = document.body
    tranches = tuple(_tranche(entry, body, setting, place) for place, entry in enumerate(body.tranches))
    clauses = tuple(_clause(entry, body.zone, place) for place, entry in enumerate(body.clauses))
    rights = tuple(_right(entry, body.zone, place) for place, entry in enumerate(body.rights))
    caps = tuple(claims.rights.Cap(ids.CapId(cap.id), cap.amount) for cap in body.caps)
    plan = claims.ContractPlan(
        ids.ContractId(body.id), body.version, body.seller, ids.TenantId(body.tenant), body.currency, tranches,
        body.on_demand, body.spot, clauses, rights, caps, _relief(body.relief),
        remedies=terms.agreed_remedies(body.remedies), payments=_payments(body.payments, body.zone),
        shortfall=terms.agreed_place(body.shortfall),
        # 0 is at its signature: the same text again changes nothing.
        effective_at=0 if body.effective == "now" else _instant(body.effective, body.zone, ("effective",)),
        zone=body.zone or "", commitment=_commitment(body.commitment),
        energy=terms.agreed_energy(body.energy),
    )  # fmt: skip
    return Wanted(document, claims.SignContract(plan, opening=_opening(body)), body.id, {})


def _commitment(entry: terms.CommitmentEntry | None) -> claims.commitments.Commitment | None:
    start_at = _instant(entry.start, "UTC", ("commitment", "start")) if entry is not None else 0
    return terms.agreed_minimum(entry, start_at)


def _taxes(document: reading.Document, setting: Setting) -> Wanted:
    body: taxed.TaxesDocument = document.body
    command = taxed.taxes_of(body, lambda text, path: _instant(text, body.zone, path))
    return Wanted(document, command, body.account, {"account": ("account",)})


def _opening(body: kinds.ContractDocument) -> claims.Opening | None:
    def instant(text: str | None, path: reading.Path) -> int:
        return 0 if text is None else _instant(text, body.zone, path)

    spelling = openings.Spelling(instant, _expanded)
    return None if body.opening is None else openings.opening_of(body.opening, spelling)


def _tranche(
    entry: kinds.TrancheEntry, body: kinds.ContractDocument, setting: Setting, place: int
) -> claims.TranchePlan:
    here: reading.Path = ("tranches", place)
    if entry.start == "now":
        start_at = setting.started.get(entry.id, setting.now)
    else:
        start_at = _instant(entry.start, body.zone, (*here, "start"))
    if (entry.end is None) is (entry.term is None):
        raise _Mistake(here, "one of 'end' (a date) and 'term' (a duration) is meant")
    if entry.term is not None:
        end_at = start_at + entry.term * SECOND_US
        if end_at > _LAST_AT:
            raise _Mistake(
                (*here, "term"),
                f"it ends after the year {quantities.YEAR_MAX}: a shorter term is meant",
                "bad_quantity",
            )
    else:
        end_at = _instant(entry.end or "", body.zone, (*here, "end"))
    ways = (entry.site, entry.sites, entry.region, entry.jurisdiction)
    if sum(map(bool, ways)) != 1:
        raise _Mistake(here, "one of 'site', 'sites', 'region' and 'jurisdiction' is meant")
    lending, late = entry.lending, entry.late
    return claims.TranchePlan(
        ids.TrancheId(entry.id), ids.SiteId(entry.site), ids.SkuId(entry.sku), entry.unit, entry.count, start_at,
        end_at, _price(entry, entry, here),
        None if lending is None else claims.Lending(lending.reclaim_deadline, lending.owner_share),
        tuple(
            claims.Delivery(
                start_at if each.at == "now" else _instant(each.at, body.zone, (*here, "deliveries", number, "at")),
                each.count,
            )
            for number, each in enumerate(entry.deliveries)
        ),
        None
        if late is None
        else claims.Late(late.grace, late.damages_per_gpu_day, late.cap, late.longstop, late.discount_per_day),
        None if entry.acceptance is None else _acceptance(entry.acceptance, (*here, "acceptance")),
        _relief(entry.relief),
        sites=tuple(map(ids.SiteId, entry.sites)), region=entry.region, jurisdiction=entry.jurisdiction,
        substitutes=tuple(map(ids.SkuId, entry.substitutes)),
        operation=entry.operation, service=terms.service_level(entry.service),
        maintenance=terms.agreed_maintenance(entry.maintenance, body.zone),
        price_steps=tuple(
            claims.PriceStep(
                _instant(each.at, body.zone, (*here, "price_steps", number, "at")),
                _price(each, entry, (*here, "price_steps", number)),
                _followed(entry), entry.take_or_pay,
            )
            for number, each in enumerate(entry.price_steps)
        ),
        index=_followed(entry), take_or_pay_ppm=entry.take_or_pay,
        superchip_gpus=entry.gpus_per_superchip if entry.price_per_superchip_hour is not None else 0,
        shortfall=terms.agreed_place(entry.shortfall), spare=entry.spare,
    )  # fmt: skip


def _payments(entry: terms.PaymentsEntry | None, zone: str | None) -> payments.PaymentTerms | None:
    if entry is None:
        return None
    if bool(entry.deposit) is not bool(entry.deposit_due):
        raise _Mistake(("payments",), "'deposit' (how much) and 'deposit_due' (when) go together")

    def when(text: str | None, *field: str | int) -> int:
        return 0 if text is None else _instant(text, zone, ("payments", *field))

    prepaid = tuple(
        payments.Prepayment(when(each.at, "prepayments", place, "at"), each.amount)
        for place, each in enumerate(entry.prepayments)
    )
    by_milestone = tuple(
        payments.MilestonePayment(
            ids.SiteId(each.site), ids.MilestoneId(each.milestone), each.share, each.amount
        )
        for each in entry.milestones
    )
    given = entry.guarantee
    guarantee = (
        None
        if given is None
        else payments.Guarantee(given.issuer, given.amount, when(given.expires, "guarantee", "expires"))
    )
    return payments.PaymentTerms(
        entry.billing, entry.net, entry.deposit, when(entry.deposit_due, "deposit_due"), prepaid, by_milestone,
        tuple(map(ids.TrancheId, entry.drawdown)), guarantee, entry.interest, entry.withholding, entry.refund,
    )  # fmt: skip


def _acceptance(entry: kinds.AcceptanceEntry, path: reading.Path) -> claims.AcceptanceTerms:
    tests = []
    for place, test in enumerate(entry.tests):
        if (test.at_least is None) is (test.at_most is None):
            raise _Mistake((*path, "tests", place), "one of 'at_least' and 'at_most' is meant")
        if test.at_least is not None:
            tests.append(claims.AcceptanceTest(test.name, test.at_least))
        else:
            tests.append(claims.AcceptanceTest(test.name, test.at_most or 0, claims.Direction.AT_MOST))
    return claims.AcceptanceTerms(tuple(tests), entry.deemed, entry.billing_from, entry.billing_after)


def _relief(entries: list[kinds.ReliefEntry]) -> tuple[claims.ReliefTerms, ...]:
    return tuple(claims.ReliefTerms(each.kind, each.notice, each.cap) for each in entries)


def _price(
    stated: kinds.TrancheEntry | kinds.PriceStepEntry, tranche: kinds.TrancheEntry, path: reading.Path
) -> int:
    """What a GPU-hour costs, exactly; of a superchip-hour that is a part."""
    per_gpu, per_chip, gpus = (
        stated.price_per_gpu_hour, stated.price_per_superchip_hour, tranche.gpus_per_superchip,
    )  # fmt: skip
    if (per_gpu is None) is (per_chip is None):
        raise _Mistake(path, "one of 'price_per_gpu_hour' and 'price_per_superchip_hour' is meant")
    chips = tranche.price_per_superchip_hour is not None
    if chips is (per_chip is None):
        told = "superchip" if chips else "GPU"
        raise _Mistake(
            path, f"the prices of one tranche are for one unit: an hour of a {told}, as its first one"
        )
    if per_chip is None:
        if tranche.gpus_per_superchip:
            where = (*path, "gpus_per_superchip")
            raise _Mistake(
                where, "this goes with 'price_per_superchip_hour': the price here is for a GPU-hour"
            )
        return per_gpu or 0
    if not gpus:
        raise _Mistake(path, "'gpus_per_superchip' is missing: how many GPUs the superchip of the price has")
    if per_chip % gpus:
        low = per_chip // gpus * gpus
        near = " or ".join(units.decimal_text(each) for each in (low, low + gpus))
        told = (
            f"{units.decimal_text(per_chip)} for {gpus} GPUs is no whole number of millionths each: {near} is"
        )
        raise _Mistake((*path, "price_per_superchip_hour"), told)
    return per_chip // gpus


def _followed(entry: kinds.TrancheEntry) -> claims.Indexed | None:
    index = entry.index
    if index is None:
        return None
    return claims.Indexed(
        ids.IndexId(index.id), index.base, index.share, index.floor_per_gpu_hour, index.cap_per_gpu_hour
    )


def _clause(entry: kinds.ClauseEntry, zone: str | None, place: int) -> claims.Clause:
    here: reading.Path = ("clauses", place)
    watched = entry.coverage is claims.Coverage.WATCHED
    if watched and entry.date is None:
        raise _Mistake(here, "a clause that is watched has a 'date': when it falls due")
    if entry.date is not None and not watched:
        raise _Mistake(
            (*here, "date"), f"a clause that is {entry.coverage.value} has no date: it is not watched"
        )
    due_at = 0 if entry.date is None else _instant(entry.date, zone, (*here, "date"))
    return claims.Clause(entry.title, entry.coverage, due_at)


def _index(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.PriceIndexDocument = document.body
    values = tuple(
        claims.IndexValue(_instant(entry.published, body.zone, ("values", place, "published")), entry.value)
        for place, entry in enumerate(body.values)
    )
    return Wanted(document, claims.PublishIndex(ids.IndexId(body.id), values), body.id, {"index": ("id",)})


def _right(entry: kinds.RightEntry, zone: str | None, place: int) -> claims.rights.RightPlan:
    def when(text: str | None, field: str) -> int:
        return 0 if text is None else _instant(text, zone, ("rights", place, field))

    by_days = entry.notice if isinstance(entry.notice, kinds.DayNoticeEntry) else None
    notice_s = 0 if isinstance(entry.notice, kinds.DayNoticeEntry) else entry.notice
    return claims.rights.RightPlan(
        ids.RightId(entry.id), entry.kind, ids.SiteId(entry.site), ids.SkuId(entry.sku),
        ids.TrancheId(entry.tranche), entry.racks, entry.racks_min, ids.CapId(entry.cap), entry.priority,
        entry.price_per_gpu_hour, notice_s, when(entry.opens, "opens"), when(entry.expires, "expires"),
        entry.term, entry.waiver, when(entry.measured, "measured"), entry.ends_order,
        _day_notice(by_days, ("rights", place, "notice")) if by_days else None, entry.first_ends_rest,
        entry.unsold, entry.premium, entry.exercise_fee,
    )  # fmt: skip


def _day_notice(entry: kinds.DayNoticeEntry, path: reading.Path) -> claims.workdays.DayNotice:
    if (entry.business_days is None) is (entry.calendar_days is None):
        raise _Mistake(path, "one of 'business_days' and 'calendar_days' is meant")
    if not entry.calendar:
        raise _Mistake((*path, "calendar"), "'calendar' is missing: the name of a BusinessCalendar")
    days = entry.calendar_days if entry.business_days is None else entry.business_days
    assert days is not None, "one of the two stands there"
    return claims.workdays.DayNotice(days, ids.CalendarId(entry.calendar), entry.business_days is not None)


def _estate(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.EstateDocument = document.body
    estate = claims.parties.Estate(body.version, body.party, body.title, tuple(body.also))
    return Wanted(document, claims.parties.ApplyEstate(estate), body.party, {})


def _overlay(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.OverlayDocument = document.body
    behind = tuple(
        claims.parties.Behind(
            ids.TrancheId(each.tranche), each.delivery, ids.SiteId(each.site), ids.MilestoneId(each.milestone)
        )
        for each in body.behind
    )
    overlay = claims.parties.Overlay(
        ids.ContractId(body.contract), body.version, body.party, body.floor_price, body.margin, body.priority,
        body.confidence, behind, body.notes,
    )  # fmt: skip
    return Wanted(document, claims.parties.ApplyOverlay(overlay), body.contract, {})


def _notice(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.NoticeDocument = document.body
    if (body.expected is None) is (body.delivered is None):
        raise _Mistake((), "one of 'expected' (another date) and 'delivered' (it came) is meant")
    if (body.expected is None) is not (body.received is None):
        raise _Mistake(
            ("received",), "'received' says when a date that is expected was told, and goes with it"
        )
    tranche, number = ids.TrancheId(body.tranche), body.delivery
    if body.delivered is not None:
        since = _instant(body.delivered, body.zone, ("delivered",))
        done: ids.Command = claims.deliveries.ReportDelivered(tranche, number, since, body.reason)
        return Wanted(document, done, f"{tranche}/{number}", {"effective_at": ("delivered",)})
    told = claims.deliveries.NotifyDelivery(
        tranche, number, _instant(body.expected or "", body.zone, ("expected",)),
        _instant(body.received or "", body.zone, ("received",)), body.reason,
    )  # fmt: skip
    return Wanted(document, told, f"{tranche}/{number}", {"effective_at": ("received",)})


def _instant(text: str, zone: str | None, path: reading.Path) -> int:
    if text == "now":
        raise _Mistake(path, "'now' is meant for a start only")
    try:
        return quantities.instant_us(text, zone or "")
    except quantities.Malformed as error:
        raise _Mistake(path, str(error), error.code) from None


def _campaign(document: reading.Document, setting: Setting) -> Wanted:
    body: maintained.CampaignDocument = document.body
    start_at, end_at = (_instant(getattr(body, name), body.zone, (name,)) for name in ("start", "end"))
    plan = maintained.campaign_plan(body, start_at, end_at)
    return Wanted(document, campaigns.ApplyCampaign(plan), body.id, _CAMPAIGN_PLACES)


_CAMPAIGN_PLACES: Mapping[str, reading.Path] = {
    "units_max": ("at_once",), "claim_units_max": ("at_once_per_claim",), "failures_max": ("failures",),
}  # fmt: skip


def _projects(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.ProjectsDocument = document.body
    tenant = body.tenant or setting.tenant
    if not tenant:
        raise _Mistake(("tenant",), "'tenant' is missing: whose projects these are")

    def instant(text: str, path: reading.Path) -> int:
        return _instant(text, body.zone, path)

    plan = projects.ProjectsPlan(
        ids.TenantId(tenant), body.version,
        tuple(divided.project_of(entry, place, instant) for place, entry in enumerate(body.projects)),
        tuple(divided.priority_of(entry) for entry in body.priorities), body.priority,
    )  # fmt: skip
    return Wanted(document, projects.ApplyProjects(plan), tenant, {"tenant": ("tenant",)})


def _storage(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.StorageDocument = document.body
    plan = storage.StoragePlan(
        body.version, body.currency, tuple(map(stored.pool_of, body.pools)), tuple(map(stored.link_of, body.links)),
        tuple(map(stored.dataset_of, body.datasets)),
    )  # fmt: skip
    return Wanted(document, storage.ApplyStorage(plan), "storage", {})


def _gang(document: reading.Document, setting: Setting) -> Wanted:
    body: kinds.GangDocument = document.body
    tenant = body.tenant or setting.tenant
    if not tenant:
        raise _Mistake(("tenant",), "'tenant' is missing: whose gang this is")
    name = f"{tenant}.{body.name}"
    if not ids.valid_name(name):
        raise _Mistake(("name",), f"its id would be {name!r}, which is not a name: {ids.NAME_RULE}")
    sku, gpus, skus = _kinds_of_rack(body)
    spec = gang.Spec(
        ids.GangId(name), ids.TenantId(tenant), body.tier, sku, gpus, body.walltime,
        tranche=ids.TrancheId(body.tranche), within=body.within, sites=tuple(map(ids.SiteId, body.sites)),
        checkpoint_s=body.checkpoint, grace_s=body.grace, restarts_max=body.restarts,
        program=None if body.program is None else _program(body.program, name, setting), title=body.title,
        near=body.near, slice_gpus=body.slice_gpus, after=successions.after_of(body.after, tenant),
        skus=skus, start_by=_by(body.start_by, body.zone, "start_by"),
        finish_by=_by(body.finish_by, body.zone, "finish_by"),
        project=ids.ProjectId(body.project), user=ids.UserId(body.user), priority=body.priority,
        datasets=tuple(map(ids.DatasetId, body.datasets)), checkpoint_store=ids.PoolId(body.checkpoint_store),
    )  # fmt: skip
    if not body.array:
        return Wanted(document, gang.SubmitGang(spec), name, {"tenant": ("tenant",)})
    try:
        indices, at_most = successions.array_of(body.array)
    except successions.BadArray as error:
        raise _Mistake(("array",), str(error), "bad_array") from None
    return Wanted(document, gang.SubmitArray(spec, indices, at_most), name, {"tenant": ("tenant",)})


def _by(text: str | None, zone: str | None, field: str) -> int:
    return 0 if text is None else _instant(text, zone, (field,))


def _kinds_of_rack(body: kinds.GangDocument) -> tuple[ids.SkuId, int, tuple[substitutes.RackChoice, ...]]:
    """What a gang asks for first, and all that it takes where it takes several kinds."""
    if body.sku and body.skus:
        raise _Mistake(("skus",), "'sku' says which kind of rack is meant: one of both is to be left out")
    choices: list[substitutes.RackChoice] = []
    for place, entry in enumerate(body.skus or [gang_parts.ChoiceEntry(sku=body.sku)]):
        gpus = entry.gpus or body.gpus
        if gpus is None:
            raise _Mistake(
                ("skus", place) if body.skus else ("gpus",), "'gpus' is missing: how many are meant"
            )
        choices.append(substitutes.RackChoice(ids.SkuId(entry.sku), gpus))
    if not choices[0].sku:
        raise _Mistake(("sku",), "'sku' is missing: which kind of rack is meant")
    first = choices[0]
    return first.sku, first.gpus, tuple(choices) if len(choices) > 1 else ()


def _program(entry: gang_parts.ProgramEntry, gang_id: str, setting: Setting) -> gang.Program:
    argv = entry.argv
    if isinstance(argv, str):
        if not entry.shell:
            raise _Mistake(
                ("program", "argv"),
                "a list is meant, such as ['{python}', 'train.py']; a text needs 'shell: true' and is run by /bin/sh",
            )
        words = ["/bin/sh", "-c", argv]
    elif entry.shell:
        raise _Mistake(("program", "shell"), "'shell: true' goes with one text in 'argv', not with a list")
    else:
        words = [
            setting.python if word == "{python}" and not place else word for place, word in enumerate(argv)
        ]
    if not words or not words[0]:
        raise _Mistake(("program", "argv"), "a command is missing")
    for variable in entry.env:
        if not _VARIABLE.fullmatch(variable):
            raise _Mistake(
                ("program", "env", variable), f"{variable!r} is not the name of an environment variable"
            )
    folder = _folder(entry.folder, gang_id, setting)
    return gang.Program(tuple(words), dict(entry.env), folder, entry.cpu, entry.memory, entry.log_limit)


def _folder(said: str, gang_id: str, setting: Setting) -> str:
    """The working folder: below the document's own, or the gang's own where it has none."""
    path: reading.Path = ("program", "folder")
    root = setting.folder
    if root is None:
        if said:
            raise _Mistake(path, "no folder may be named here: the program works in the gang's own")
        return setting.work_folder(gang_id)
    if Path(said).is_absolute():
        raise _Mistake(path, f"{said!r} is absolute: a folder below that of this document is meant")
    try:
        real = root.resolve(strict=True)
        found = (real / said).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise _Mistake(path, f"there is no folder {said or str(root)!r} beside this document") from None
    if not found.is_relative_to(real):
        raise _Mistake(path, f"{said!r} leads out of the folder of this document")
    if not found.is_dir():
        raise _Mistake(path, f"{said!r} is not a folder")
    return str(found)


_MAKERS: dict[str, Callable[[reading.Document, Setting], Wanted]] = {
    "Estate": _estate,
    "Catalogue": _catalogue,
    "Site": _site,
    "Schedule": _schedule,
    "Storage": _storage,
    "Policy": _policy,
    "PromisePolicy": _promise_policy,
    "BusinessCalendar": _business_calendar,
    "PriceList": _price_list,
    "PriceIndex": _index,
    "Overlay": _overlay,
    "Contract": _contract,
    "Taxes": _taxes,
    "Campaign": _campaign,
    "Projects": _projects,
    "Notice": _notice,
    "Gang": _gang,
}

#: Last word of a field as the core calls it -> as documents call it.
_SPELLINGS = {
    "published_at": "published", "value_micros": "value", "watch_at": "date",
    "price_micros_min": "floor_per_gpu_hour", "price_micros_max": "cap_per_gpu_hour",
    "base_micros": "base", "price": "price_per_gpu_hour",
    "price_micros_per_gpu_hour": "price_per_gpu_hour", "start_at": "start", "end_at": "end",
    "restarts_max": "restarts", "effective_at": "effective", "planned_at": "planned", "opens_at": "opens",
    "expires_at": "expires", "measure_at": "measured", "racks_max": "racks", "reached_at": "reached",
    "micros": "amount", "strike_ppm": "chance", "damages_micros_per_gpu_day": "damages_per_gpu_day",
    "cap_micros": "cap", "rack_w": "rack_power", "rack_base_w": "base_power", "gpu_w": "gpu_power",
    "healthy_nodes_min": "healthy_nodes", "backoff_s_max": "backoff_max",
    "interruptions_max": "interruptions", "accepted_at": "accepted", "billed_micros": "billed",
    "credit_open_micros": "credit_open", "credited_micros": "credited", "deadline_at": "answer_by",
    "deferred_micros": "deferred", "deposit_micros": "deposit", "drawn_micros": "drawn", "due_at": "due",
    "issued_at": "issued", "life": "state", "open_micros": "open", "prepaid_drawn_micros": "prepaid_drawn",
    "prepaid_micros": "prepaid", "discount_ppm_per_day": "discount_per_day", "crediting": "credits",
    "deposit_at": "deposit_due", "cap_month_ppm": "cap_month", "cap_month_micros": "cap_month",
    "cap_total_micros": "cap_total", "expected_at": "expected",
    "floor_micros_per_gpu_hour": "floor_price", "gpus_max": "gpus", "user_gpus_max": "gpus_per_user",
    "gang_gpus_max": "gang_gpus", "walltime_s_max": "walltime", "gpu_s": "gpu_hours", "begins_at": "begins",
    "from_at": "start",
}  # fmt: skip
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def _back(where: str, places: Mapping[str, reading.Path]) -> reading.Path:
    """A refusal's field as a path in the document: known places first, then without the unit at its end."""
    for prefix in sorted(places, key=len, reverse=True):
        if where == prefix or where.startswith(f"{prefix}."):
            return places[prefix] + _back(where[len(prefix) :].lstrip("."), {})
    steps: list[str | int] = []
    for word, number in _STEP.findall(where):
        steps.append(int(number) if number else document_field(word))
    return tuple(steps)


def document_field(word: str) -> str:
    """What documents call a field of the core: by another name, or without the unit at its end."""
    return _SPELLINGS.get(word, re.sub(r"_(?:s|w|us|ppm)$", "", word))


def answer_changed(kind: str, answer: Mapping[str, Any]) -> bool:
    """Whether a document that was applied made a difference."""
    mark = {"Catalogue": "added", "Site": "added", "Contract": "signed"}.get(kind, "changed")
    return bool(answer.get(mark, True))
