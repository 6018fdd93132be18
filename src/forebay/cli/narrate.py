"""What do events mean, in sentences that somebody understands who sees forebay for the first time?

A `Narrator` is told every event in order, as the journal holds it (kind and body), and remembers the little that
later sentences need: how nodes are called, who asked for what. One event makes no sentence, or one, or two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from forebay.cli import (
    campaign_story,
    dispute_story,
    narrate_health,
    paper,
    power_story,
    prepaid_story,
    receipt_story,
)
from forebay.core import timeline, units

Body = dict[str, Any]

#: Why a gang is asked to stop.
_WHY_STOP = {
    "walltime": "its limit of time is reached",
    "cancelled": "it was cancelled",
    "node_failed": "a node under it failed",
    "stuck": "it got nowhere",
    "engine_silent": "its engine was silent, and what it ran is over for sure",
    "quarantine": "a node under it was quarantined",
    "drain": "a node under it is being drained",
    "claim_started": "the nodes pass to a tranche whose term begins",
    "maintenance": "a node under it is being maintained",
    "curtailed": "there is less power for a while",
    "claim_power": "its power passes to a tranche whose term begins",
    "claim_ended": "the term of its tranche is over",
    "start_timeout": "it did not start in time",
}


@dataclass(slots=True)
class _Told:
    """What is remembered about a gang."""

    tenant: str
    gpus: int
    tier: str
    tranche: str
    restarts_max: int
    generation: int = 0
    lender: str = ""
    stopping: str = ""


@dataclass(slots=True)
class Narrator:
    """Turns events into sentences."""

    gangs: dict[str, _Told] = field(default_factory=dict)
    #: (first node, count, rack).
    racks: list[tuple[int, int, str]] = field(default_factory=list)
    #: Tranche -> (tenant, seconds in which lent capacity comes back; 0 where it is not lent).
    tranches: dict[str, tuple[str, int]] = field(default_factory=dict)
    gpus_per_node: dict[str, int] = field(default_factory=dict)
    #: Tranches that are paid for once they are accepted.
    to_accept: set[str] = field(default_factory=set)
    #: Rights that an amendment withdrew.
    withdrawn: set[str] = field(default_factory=set)

    def tell(self, kind: str, body: Body) -> list[str]:
        """Sentences for one event; none for kinds that say nothing new to people."""
        sentence = self._SENTENCES.get(kind)
        if sentence is None:
            beside = power_story.POWER_SENTENCES.get(kind) or campaign_story.CAMPAIGN_SENTENCES.get(kind)
            beside = beside or receipt_story.RECEIPT_SENTENCES.get(kind)
            beside = beside or dispute_story.DISPUTE_SENTENCES.get(kind)
            beside = beside or prepaid_story.PREPAID_SENTENCES.get(kind)
            return [] if beside is None else beside(body)
        return sentence(self, body)

    def node(self, index: int) -> str:
        """How people call a node."""
        for first, count, rack in self.racks:
            if first <= index < first + count:
                return f"{rack}-n{index - first + 1:02d}"
        return f"node {index}"

    # Supply

    def _sku(self, body: Body) -> list[str]:
        sku = body["sku"]
        self.gpus_per_node[sku["id"]] = sku["gpus_per_node"]
        return []

    def _site(self, body: Body) -> list[str]:
        return [
            f"site {body['site']} is known: {body['title']}"
            if body["title"]
            else f"site {body['site']} is known"
        ]

    def _feed(self, body: Body) -> list[str]:
        if body["parent"]:
            return []
        return [f"{body['site']}: power comes in over {body['feed']}, at most {paper.power(body['limit_w'])}"]

    def _rack(self, body: Body) -> list[str]:
        self.racks.append((body["first_node"], body["nodes"], body["rack"]))
        gpus = body["nodes"] * self.gpus_per_node.get(body["sku"], 0)
        holds = (
            f"{paper.count(body['nodes'], 'node')}, {paper.count(gpus, 'GPU')}"
            if gpus
            else paper.count(body["nodes"], "node")
        )
        return [
            f"rack {body['rack']} is live: {holds} ({body['sku']}), at most {paper.power(body['limit_w'])}"
        ]

    def _cordoned(self, body: Body) -> list[str]:
        how = "is drained: its work moves away" if body["draining"] else "is cordoned: it takes no new work"
        why = f" ({body['reason']})" if body["reason"] else ""
        return [f"{self.node(body['node'])} {how}{why}"]

    def _uncordoned(self, body: Body) -> list[str]:
        return [f"{self.node(body['node'])} takes work again"]

    # What is to come

    def _planned(self, body: Body) -> list[str]:
        plan = body["plan"]
        racks = [f"{paper.count(block['racks'], 'rack')} of {block['sku']}" for block in plan["blocks"]]
        told = [f"{plan['site']} is to have {' and '.join(racks)}"] if racks else []
        if plan["stages"]:
            stages = [f"{stage['id']} {paper.power(stage['connected_w'])}" for stage in plan["stages"]]
            told.append(f"  power in {paper.count(len(stages), 'stage')}: {', '.join(stages)}")
        return told

    def _expected(self, body: Body) -> list[str]:
        if body["reason"] == "overdue":
            return [f"{body['milestone']} at {body['site']} is overdue: its date counts no more"]
        why = f" ({body['reason']})" if body["reason"] else ""
        return [f"{body['milestone']} at {body['site']} is now expected on {_day(body['forecast_at'])}{why}"]

    def _reached(self, body: Body) -> list[str]:
        return [f"{body['milestone']} at {body['site']} is done since {_day(body['effective_at'])}"]

    def _forecast(self, body: Body) -> list[str]:
        dates = [
            f"{block['block']} by {_day(block['p50_at'])}, or {_day(block['p90_at'])} in nine cases of ten"
            for block in body["blocks"]
        ]
        return [f"{body['site']}: {dates[0]}", *(f"  {each}" for each in dates[1:])] if dates else []

    def _short(self, body: Body) -> list[str]:
        nobodys = [
            f"  {part['nodes']} nodes are missing from {_day(part['start_at'])} on, and nothing says who goes short"
            for part in body.get("unallocated", ())
        ]
        if nobodys and not body["shorts"]:
            return [f"more {body['sku']} at {body['site']} is promised than there will be", *nobodys]
        if not body["shorts"]:
            return [f"nobody goes short of {body['sku']} at {body['site']} any more"]
        tranches = sorted({short["tranche"] for short in body["shorts"]})
        since = _day(min(short["start_at"] for short in body["shorts"]))
        go = "goes" if len(tranches) == 1 else "go"
        return [
            f"more {body['sku']} at {body['site']} is promised than there will be from {since} on",
            f"  {', '.join(tranches)} {go} short"
            + (f", as was shared out by hand: {body['reason']}" if body.get("reason") else ""),
            *nobodys,
        ]

    # Claims and prices

    def _held(self, body: Body) -> list[str]:
        hold = body["hold"]
        what = f"{paper.count(hold['nodes'], 'node')} of {hold['sku']} at {hold['site']}"
        return [f"{what} are held for {hold['tenant']} until {_day(hold['expires_at'])}"]

    def _let_go(self, body: Body) -> list[str]:
        return [f"hold {body['hold']} is over ({body['reason']})"]

    def _offered(self, body: Body) -> list[str]:
        return [
            f"right {body['right']}: a sale is offered to its holder until {paper.moment(body['deadline_at'])}"
        ]

    def _offered_to_us(self, body: Body) -> list[str]:
        return [
            f"right {body['right']}: we are offered {_sale(body)}, until {paper.moment(body['deadline_at'])}"
        ]

    def _covered(self, body: Body) -> list[str]:
        return [f"right {body['right']}: we are told again of {_sale(body)}, which we let pass"]

    def _exercised(self, body: Body) -> list[str]:
        return [f"right {body['right']} is used: tranche {body['tranche']}"]

    def _waived(self, body: Body) -> list[str]:
        return [f"right {body['right']}: the holder lets it pass"]

    def _lapsed(self, body: Body) -> list[str]:
        if body["right"] in self.withdrawn:
            return [f"right {body['right']} is withdrawn, it lapses"]
        return [f"right {body['right']}: nobody answered in time, it lapses"]

    def _added(self, body: Body) -> list[str]:
        plan = body["plan"]
        size = f"{paper.count(plan['count'], plan['unit'])} of {plan['sku']}"
        return [
            f"{body['contract']} has one more tranche, {plan['id']}",
            f"  {size} at {plan['site']} from {_day(plan['start_at'])} on",
        ]

    def _signed(self, body: Body) -> list[str]:
        plan = body["plan"]
        may = [word for name, word in (("on_demand", "on demand"), ("spot", "on spot")) if plan.get(name)]
        lines = [f"contract {plan['id']} binds {plan['seller']} and {plan['tenant']}"]
        for tranche in plan["tranches"]:
            lending = tranche.get("lending") or {}
            self.tranches[tranche["id"]] = (plan["tenant"], lending.get("reclaim_deadline_s", 0))
            if tranche.get("acceptance"):
                self.to_accept.add(tranche["id"])
            unit = "node" if tranche["unit"] == "node" else "rack"
            price = (
                f"{units.decimal_text(tranche['price_micros_per_gpu_hour'])} {plan['currency']} a GPU-hour"
            )
            where = f" at {tranche['site']}" if tranche["site"] else ""
            size = f"{paper.count(tranche['count'], unit)}{where} from {_day(tranche['start_at'])} on"
            lines.append(f"  {size}: tranche {tranche['id']}, {price}")
            if lending:
                lines.append(
                    f"  idle parts may be lent, back within {paper.span(lending['reclaim_deadline_s'])}; "
                    f"{lending['owner_share_ppm'] / 10_000:g} % of the price is {plan['tenant']}'s"
                )
        lines += [
            f"  tranche {each['tranche']} leaves a choice: it is {each['sku']} at {each['site']}"
            for each in body.get("nominations", ())
        ]
        lines += [f"  right {right['id']} ({right['kind']})" for right in plan.get("rights", ())]
        if body.get("override"):
            lines.append(f"  signed beyond what can be promised: {body['override']}")
        if may:
            lines.append(f"  {plan['tenant']} may run {' and '.join(may)}")
        return lines

    def _rebound(self, body: Body) -> list[str]:
        moved = sum(count for _, count in body["took"])
        return [
            f"a plan gives tranche {body['tranche']} other racks: {paper.count(moved, 'node')} of them are new"
        ]

    def _amended(self, body: Body) -> list[str]:
        plan = body["plan"]
        lines = [
            f"contract {plan['id']} is amended: version {plan['version']} holds from {_day(body['effective_at'])} on"
        ]
        lines += [
            f"  tranche {each['id']}: {paper.count(each['count'], each['unit'])} until {_day(each['end_at'])}"
            for each in body["tranches"]
        ]
        lines += [f"  right {right['id']} ({right['kind']})" for right in body["rights"]]
        lines += [
            f"  right {right['id']} ({right['kind']}), on other terms" for right in body.get("regranted", ())
        ]
        self.withdrawn |= set(body.get("withdrawn", ()))
        lines += [f"  right {name} is withdrawn" for name in body.get("withdrawn", ())]
        if body.get("override"):
            lines.append(f"  signed beyond what can be promised: {body['override']}")
        return lines

    def _took_effect(self, body: Body) -> list[str]:
        return [f"version {body['version']} of contract {body['contract']} holds from here on"]

    def _repriced(self, body: Body) -> list[str]:
        return [f"another price holds for tranche {body['tranche']} from here on"]

    def _published(self, body: Body) -> list[str]:
        values = [
            f"{units.decimal_text(each['value_micros'])} of {_day(each['published_at'])}"
            for each in body["values"]
        ]
        return [f"index {body['index']}: {', '.join(values)}"]

    def _nominated(self, body: Body) -> list[str]:
        now, was = (f"{body[f'{of}sku']} at {body[f'{of}site']}" for of in ("", "from_"))
        return [f"tranche {body['tranche']} leaves a choice: it is {now} now, and {was} no more"]

    def _tranche_started(self, body: Body) -> list[str]:
        tenant, _ = self.tranches.get(body["tranche"], ("", 0))
        if body.get("since_at"):
            told = f"its {body['gpus']} GPUs are billed here from {paper.moment(body['since_at'])} on"
            return [f"tranche {body['tranche']} of {tenant} runs already: {told}"]
        if body["tranche"] in self.to_accept:
            return [f"the term of tranche {body['tranche']} begins: {tenant} pays for what it accepts"]
        return [
            f"the term of tranche {body['tranche']} begins: {tenant} pays for it from now on, used or not"
        ]

    def _opened(self, body: Body) -> list[str]:
        opening = body["opening"]
        lines = [f"contract {body['contract']} runs already; this is how it stood:"]
        lines += [
            f"  {each['delivered']} delivered of tranche {each['tranche']}"
            for each in opening.get("tranches", ())
        ]
        lines += [f"  right {each['right']} is {each['life']}" for each in opening.get("rights", ())]
        return lines

    def _tranche_ended(self, body: Body) -> list[str]:
        return [f"the term of tranche {body['tranche']} is over: its nodes go back to the pool"]

    def _ready(self, body: Body) -> list[str]:
        until = f", silence is an answer on {_day(body['deemed_at'])}" if body["deemed_at"] else ""
        return [f"{body['count']} of tranche {body['tranche']} are ready (notice {body['notice']}){until}"]

    def _accepted(self, body: Body) -> list[str]:
        how = "by silence, " if body["deemed"] else ""
        billed = f"billed from {_day(body['billing_at'])} on"
        return [f"notice {body['notice']} of tranche {body['tranche']} is accepted, {how}{billed}"]

    def _rejected(self, body: Body) -> list[str]:
        return [f"notice {body['notice']} of tranche {body['tranche']} is rejected: {body['reason']}"]

    def _relieved(self, body: Body) -> list[str]:
        kind = body["kind"].replace("_", " ")
        return [f"dates of tranche {body['tranche']} move: {kind} ({body['reason']})"]

    def _prices(self, body: Body) -> list[str]:
        prices = body["prices"]
        each = [
            f"{'spot' if price['tier'] == 'spot' else 'on demand'} "
            + units.decimal_text(price["price_micros_per_gpu_hour"])
            for price in prices["prices"]
        ]
        return [f"prices in {prices['currency']} for a GPU-hour: {', '.join(each)}"]

    # Gangs

    def _submitted(self, body: Body) -> list[str]:
        spec = body["spec"]
        self.gangs[spec["id"]] = _Told(
            spec["tenant"], spec["gpus"], spec["tier"], spec["tranche"], spec["restarts_max"]
        )
        by_right = {
            "dedicated": f"on its tranche {spec['tranche']}",
            "on_demand": "on demand",
            "spot": "on spot (cheap; may be asked to leave)",
        }[spec["tier"]]
        if spec.get("part") is not None:
            return []
        title = f": {spec['title']}" if spec.get("title") else ""
        return [
            f"{spec['id']}{title}",
            f"  {spec['tenant']} asks for {paper.count(spec['gpus'], 'GPU')} {by_right}",
        ]

    def _array(self, body: Body) -> list[str]:
        count = len(body["indices"])
        at_once = f", at most {body['at_most']} at once" if body["at_most"] else ""
        return [
            f"{body['array']}: {body['tenant']} asks for an array of {paper.count(count, 'gang')}{at_once}"
        ]

    def _placed(self, body: Body) -> list[str]:
        gang = self.gangs.get(body["gang"])
        if gang is None:
            return []
        gang.generation, gang.lender, gang.stopping = body["generation"], body["lender"], ""
        nodes = [self.node(first + place) for first, count, _ in body["runs"] for place in range(count)]
        where = ", ".join(nodes[:4]) + (f" and {len(nodes) - 4} more" if len(nodes) > 4 else "")
        again = " again" if body["generation"] > 1 else ""
        if gang.lender:
            owner, deadline_s = self.tranches.get(gang.lender, ("its owner", 0))
            return [
                f"{body['gang']} starts{again} on {where}: idle capacity of {owner}, lent",
                f"  {owner} gets it back within {paper.span(deadline_s)} whenever it wants",
            ]
        return [f"{body['gang']} starts{again} on {where}"]

    def _started(self, body: Body) -> list[str]:
        gang = self.gangs.get(body["gang"])
        if gang is None:
            return []
        ranks = "its rank is" if gang.gpus == 1 else f"all {gang.gpus} ranks are"
        return [f"{body['gang']} runs: {ranks} up"]

    def _stopping(self, body: Body) -> list[str]:
        gang = self.gangs.get(body["gang"])
        if gang is not None:
            gang.stopping = body["reason"]
        if body["reason"] == "reclaim":
            return []
        then = ", and goes back to the queue" if body["again"] else ""
        why = _WHY_STOP.get(body["reason"], body["reason"])
        return [f"{body['gang']} is asked to stop, because {why}; it saves its work{then}"]

    def _reclaimed(self, body: Body) -> list[str]:
        owner, deadline_s = self.tranches.get(body["tranche"], ("its owner", 0))
        return [
            f"{owner} wants its lent capacity back for {body['for_gang']}",
            f"  {body['gang']} has {paper.span(deadline_s)} to save its work and leave",
        ]

    def _overdue(self, body: Body) -> list[str]:
        return [f"{body['gang']} is still there after its deadline: from here on the loss is the provider's"]

    def _ended(self, body: Body) -> list[str]:
        gang, name, ending = self.gangs.get(body["gang"]), body["gang"], body["ending"]
        if ending == "completed":
            return [f"{name} is done: every rank finished"]
        if ending == "unstartable":
            return [
                f"{name} cannot be started: {body['evidence']}",
                "  another try would end the same: it is over",
            ]
        if ending == "stopped" or (gang is not None and gang.stopping):
            if gang is not None and gang.stopping == "reclaim":
                return [f"{name} has left the lent nodes and waits in the queue for room"]
            pause = (
                f", and may start again at {paper.moment(body['not_before'])}" if body["not_before"] else ""
            )
            return [f"{name} has stopped" + (" and waits in the queue" if body["again"] else "") + pause]
        what = self._failure(body)
        if body["again"]:
            pause = f" at {paper.moment(body['not_before'])}" if body["not_before"] else ""
            return [what, f"  a gang runs whole or not at all: it starts again{pause}, from its checkpoint"]
        return [what, "  no restart is left: it is over"]

    def _failure(self, body: Body) -> str:
        name, rank, status = body["gang"], body["rank"], body["exit_status"]
        if body["ending"] == "lost":
            return f"{name} was lost with its machine's processes ({body['evidence'] or 'no trace of it is left'})"
        if rank < 0:
            return f"{name} failed ({body['evidence'] or 'no evidence'})"
        if status < 0:
            return f"rank {rank} of {name} was killed (signal {-status})"
        return f"rank {rank} of {name} ended with status {status}"

    def _withdrawn(self, body: Body) -> list[str]:
        return [f"{body['gang']} leaves the queue: {_WHY_STOP.get(body['reason'], body['reason'])}"]

    def _returned(self, body: Body) -> list[str]:
        return [f"the nodes that {body['gang']} left are wiped and checked"]

    # Money

    def _closed(self, body: Body) -> list[str]:
        start, end = paper.moment(body["start"]), paper.moment(body["end"])
        return [f"the billing period from {start} to {end} is closed"]

    def _invoiced(self, body: Body) -> list[str]:
        total = paper.amount(body["total_minor"], body["currency"])
        return [f"{body['invoice']} is issued to {body['tenant']}: {total}"]

    # Our side of contracts

    def _we(self, body: Body) -> list[str]:
        estate = body["estate"]
        return [f"we are {estate['party']}" + (f" ({estate['title']})" if estate["title"] else "")]

    def _private(self, body: Body) -> list[str]:
        return [f"we keep terms of our own on {body['overlay']['contract']}"]

    def _rented(self, body: Body) -> list[str]:
        plan = body["plan"]
        told = [f"we rent from {plan['seller']} by contract {plan['id']}"]
        for tranche in plan["tranches"]:
            size = (
                f"{paper.count(tranche['count'], tranche['unit'])} of {tranche['sku']} at {tranche['site']}"
            )
            told.append(f"  {size} from {_day(tranche['start_at'])} on, as tranche {tranche['id']}")
        return told

    def _rented_right(self, body: Body) -> list[str]:
        ended = f", which ends {', '.join(body['ended'])}" if body["ended"] else ""
        made = f": tranche {body['made']['id']}" if body["made"] else ended
        return [f"right {body['right']} is used{made}"]

    def _notified(self, body: Body) -> list[str]:
        why = f" ({body['reason']})" if body["reason"] else ""
        what = f"delivery {body['delivery']} of {body['tranche']}"
        return [f"{what} is notified for {_day(body['expected_at'])}{why}"]

    def _delivered_now(self, body: Body) -> list[str]:
        what = f"delivery {body['delivery']} of {body['tranche']}"
        return [f"{what} is delivered since {_day(body['effective_at'])}"]

    def _own_forecast(self, body: Body) -> list[str]:
        what = f"delivery {body['delivery']} of {body['tranche']}"
        dates = f"{_day(body['p50_at'])}, or {_day(body['p90_at'])} in nine cases of ten"
        return [f"we expect {what} by {dates}"]

    def _did_not_come(self, body: Body) -> list[str]:
        what = f"delivery {body['delivery']} of {body['tranche']}"
        return [f"{what} did not come: we count on it from {_day(body['expected_at'])} on"]

    _SENTENCES: ClassVar[dict[str, Callable[[Narrator, Body], list[str]]]] = {
        "SkuCatalogued": _sku,
        "SiteAdded": _site,
        "FeedAdded": _feed,
        "RackAdded": _rack,
        **narrate_health.SENTENCES,
        "NodeCordoned": _cordoned,
        "NodeUncordoned": _uncordoned,
        "SchedulePlanned": _planned,
        "MilestoneForecast": _expected,
        "MilestoneReached": _reached,
        "ForecastRecorded": _forecast,
        "ShortfallAssessed": _short,
        "CapacityHeld": _held,
        "HoldReleased": _let_go,
        "SaleOffered": _offered,
        "RightExercised": _exercised,
        "RightWaived": _waived,
        "RightLapsed": _lapsed,
        "ReadyNoticeGiven": _ready,
        "DeliveryAccepted": _accepted,
        "DeliveryRejected": _rejected,
        "ReliefGranted": _relieved,
        "TrancheAdded": _added,
        "ContractSigned": _signed,
        "TrancheRebound": _rebound,
        "ContractOpened": _opened,
        "ContractAmended": _amended,
        "AmendmentTookEffect": _took_effect,
        "TranchePriceChanged": _repriced,
        "IndexPublished": _published,
        "TrancheNominated": _nominated,
        "EstateApplied": _we,
        "OverlayApplied": _private,
        "CapacityRented": _rented,
        "RentedRightUsed": _rented_right,
        "RentedRightWaived": _waived,
        "OfferReceived": _offered_to_us,
        "CoveredOfferReceived": _covered,
        "ReceivedOfferLapsed": _lapsed,
        "RentalAmended": _amended,
        "RentalTermsChanged": _took_effect,
        "DeliveryNotified": _notified,
        "DeliveryMade": _delivered_now,
        "DeliveryForecast": _own_forecast,
        "DeliveryOverdue": _did_not_come,
        "TrancheStarted": _tranche_started,
        "TrancheEnded": _tranche_ended,
        "PriceListApplied": _prices,
        "GangSubmitted": _submitted,
        "ArraySubmitted": _array,
        "GangPlaced": _placed,
        "GangStarted": _started,
        "GangStopping": _stopping,
        "LoanReclaimed": _reclaimed,
        "ReclaimOverdue": _overdue,
        "GangEnded": _ended,
        "GangWithdrawn": _withdrawn,
        "NodesReturned": _returned,
        "PeriodClosed": _closed,
        "InvoiceIssued": _invoiced,
    }


def _sale(body: Body) -> str:
    sale = body["sale"]
    dates = f"{_day(sale['start_at'])} to {_day(sale['end_at'])}"
    return f"{paper.count(sale['nodes'], 'node')} of {sale['sku']} at {sale['site']}, {dates}"


def _day(at: int) -> str:
    """A date as people say it; the end of all dates is none."""
    return "no date" if at >= timeline.INSTANT_MAX else timeline.text(at)[:10]
