"""On what does a trace run? A plant of so many GPUs, made up here, or the one of the user's own documents."""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from forebay.core import claims, ids, money, supply, units
from forebay.core.placements import gang as gangs
from forebay.core.placements.estimates import Estimates
from forebay.core.supply import blocks
from forebay.core.world import OpenWorld
from forebay.feeds import commands, folder, kinds, quantities, reading, tree
from forebay.twin.driver import Twin

#: Where traces without a date begin: 2017-10-01T00:00:00Z.
EPOCH_US = 1_506_816_000 * units.SECOND_US
OPERATOR = ids.Principal("twin", ids.Role.OPERATOR)
PLANNER = ids.Principal("planner", ids.Role.EDGE)
SITE = ids.SiteId("site")
SELLER = "replay"
NODES_PER_RACK = 4
#: Racks on one feed of a plant that is made up.
RACKS_PER_FEED = 16
#: Micro-dollars per GPU-hour on demand, unless told otherwise.
PRICE_MICROS = 2_000_000


class ReplayPlant(NamedTuple):
    """What is applied before the first job comes, and when."""

    name: str
    begins_at: int
    steps: tuple[commands.Wanted | ids.Command, ...]
    #: Currency of what is on demand for tenants who come with the trace.
    currency: str = "USD"
    #: Price of a GPU-hour on demand and on spot, micro-units; 0 where the documents have price lists of their own.
    price_micros: int = 0


def sku(gpus_per_node: int) -> supply.Sku:
    """Racks of four nodes; 700 W a GPU with its share of the node, 10 kW a rack without work."""
    rack_w = 10_000 + NODES_PER_RACK * gpus_per_node * 900
    return supply.Sku(
        ids.SkuId(f"hgx{gpus_per_node}"), f"Nodes of {gpus_per_node} GPUs, four a rack", gpus_per_node,
        NODES_PER_RACK, rack_w, 10_000, 700, NODES_PER_RACK, "assumed",
    )  # fmt: skip


def of_gpus(
    gpus: int,
    gpus_per_node: int = 8,
    price_micros: int = PRICE_MICROS,
    policy: gangs.Policy | None = None,
    power_ppm: int = 1_000_000,
) -> ReplayPlant:
    """One site of `gpus` GPUs on feeds of sixteen racks, with as much of the power they need as `power_ppm` says.

    Raises `ValueError`.
    """
    if gpus < gpus_per_node or gpus % gpus_per_node:
        raise ValueError(f"--gpus is {gpus}; a multiple of {gpus_per_node} is meant, for whole nodes")
    kind = sku(gpus_per_node)
    nodes = gpus // gpus_per_node
    places = range(0, nodes, NODES_PER_RACK)
    racks = tuple(
        supply.RackPlan(
            ids.RackId(f"r{place:05d}"), kind.id, ids.FeedId(f"feed-{place // RACKS_PER_FEED:04d}"),
            nodes=min(NODES_PER_RACK, nodes - first),
        )
        for place, first in enumerate(places)
    )  # fmt: skip
    # What the racks draw at full work, with what they draw without any: that much and no more is needed.
    needed_w = len(racks) * kind.rack_base_w + gpus * kind.gpu_w
    root = supply.FeedPlan(ids.FeedId("substation"), max(1, needed_w * power_ppm // 1_000_000))
    feeds = [
        supply.FeedPlan(
            ids.FeedId(f"feed-{number:04d}"),
            kind.rack_w * len(racks[number * RACKS_PER_FEED : (number + 1) * RACKS_PER_FEED]),
            root.id,
        )
        for number in range(-(-len(racks) // RACKS_PER_FEED))
    ]
    plan = supply.SitePlan(
        SITE, "Replay", "none", "US", "UTC", (root, *feeds), (supply.HallPlan(ids.HallId("hall"), racks),)
    )
    prices = money.PriceList(
        1, "USD", 0,
        tuple(money.Price(tier, kind.id, price_micros) for tier in (gangs.Tier.ON_DEMAND, gangs.Tier.SPOT)),
    )  # fmt: skip
    steps: list[ids.Command] = [supply.ApplyCatalogue((kind,)), supply.ApplySite(plan)]
    if policy is not None:
        steps.append(gangs.ApplyPolicy(policy))
    return ReplayPlant(
        f"{gpus:,} GPU{'s' * (gpus != 1)}",
        EPOCH_US,
        (*steps, money.ApplyPriceList(prices)),
        "USD",
        price_micros,
    )


def of_documents(
    paths: Sequence[Path],
    begins: str = "",
    order: gangs.Order | None = None,
    depth: int = 0,
    policy: gangs.Policy | None = None,
    price_micros: int = PRICE_MICROS,
    estimates: Estimates | None = None,
) -> ReplayPlant:
    """The plant of these files and folders: what `forebay apply` would make of them, at the beginning of the trace.

    It begins at `begins`, else when the first tranche with a date does. `order`, with its `depth`, takes the place
    of the documents' order, `policy` that of their policy, `estimates` what it says of them. Without a price list,
    everything on demand and on spot has the price given. Gangs are passed over: the trace brings the work. Raises
    `tree.DocumentError`.
    """
    documents = folder.in_order([*_built_in(), *(each for path in paths for each in _read(path))])
    begins_at = quantities.instant_us(begins) if begins else _begins_at(documents)
    found: list[commands.Wanted | ids.Command] = []
    problems: list[tree.Problem] = []
    applied = gangs.Policy(version=0)
    for document in documents:
        if document.kind == "Gang":
            continue
        try:
            want = commands.command_of(document, commands.Setting(begins_at))
        except tree.DocumentError as error:
            problems += error.problems
            continue
        if isinstance(want.command, gangs.ApplyPolicy):
            applied = want.command.policy
        found.append(want)
    if not any(
        isinstance(each.command, supply.ApplySite) for each in found if isinstance(each, commands.Wanted)
    ):
        problems.append(tree.Problem("there is no Site in these documents", file=str(paths[0])))
    if problems:
        raise tree.DocumentError(problems)
    if order is not None or policy is not None or estimates is not None:
        changed = dataclasses.replace(policy or applied, version=applied.version + 1)
        if order is not None:
            changed = dataclasses.replace(changed, order=order, depth=depth or applied.depth)
        if estimates is not None:
            changed = dataclasses.replace(changed, estimates=estimates)
        found.append(gangs.ApplyPolicy(changed))
    currencies = [each.body.currency for each in documents if each.kind == "PriceList"]
    if not currencies:
        found.append(_Priced(price_micros))
    name, steps = ", ".join(map(str, paths)), tuple(_joined(found))
    return ReplayPlant(name, begins_at, steps, *(currencies[:1] or ("USD", price_micros)))


@dataclasses.dataclass(slots=True)
class _Priced(ids.Command):
    """Stands for a price list of all SKUs that are known by then."""

    price_micros: int


def _built_in() -> list[reading.Document]:
    """The catalogue that forebay comes with, as a server has it from its start."""
    text = (importlib.resources.files("forebay.feeds") / "catalogue.yaml").read_text(encoding="utf-8")
    return reading.documents(text, "catalogue.yaml")


def _read(path: Path) -> list[reading.Document]:
    if path.is_dir():
        return list(folder.Folder.read(path).documents)
    try:
        data = path.read_bytes()
        if len(data) > tree.BYTES_MAX:
            told = f"{len(data)} bytes are more than a document may have ({tree.BYTES_MAX})"
            raise tree.DocumentError([tree.Problem(told, file=str(path))])
        return reading.documents(data.decode(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise tree.DocumentError([tree.Problem(f"{error}", file=str(path))]) from None


def _begins_at(documents: Sequence[reading.Document]) -> int:
    """The first start of a tranche that has a date; else when traces begin."""
    starts: list[int] = []
    for document in documents:
        if isinstance(document.body, kinds.ContractDocument):
            for entry in document.body.tranches:
                if entry.start != "now":
                    starts.append(quantities.instant_us(entry.start, document.body.zone or ""))  # noqa: PERF401
    return min(starts, default=EPOCH_US)


def _joined(found: list[commands.Wanted | ids.Command]) -> Iterator[commands.Wanted | ids.Command]:
    """A site whose racks name blocks comes with its schedule in one command, for neither comes first."""
    schedules = {
        each.about: each
        for each in found
        if isinstance(each, commands.Wanted) and isinstance(each.command, blocks.ApplySchedule)
    }
    joined: set[str] = set()
    for each in found:
        if isinstance(each, commands.Wanted) and isinstance(each.command, supply.ApplySite):
            racks = [rack for hall in each.command.plan.halls for rack in hall.racks]
            if each.about in schedules and any(rack.block for rack in racks):
                joined.add(each.about)
                yield each.with_schedule(schedules[each.about])
                continue
        elif isinstance(each, commands.Wanted) and each.about in joined and schedules.get(each.about) is each:
            continue
        yield each


def apply(twin: Twin, plant: ReplayPlant, tenants: Sequence[str]) -> None:
    """Make the plant in a twin whose clock stands at its beginning, and let these tenants, where no contract names
    them, use it on demand and on spot. Raises `tree.DocumentError` when the World refuses a document.
    """
    _ask(twin, OpenWorld("replay"))
    for step in plant.steps:
        command = step.command if isinstance(step, commands.Wanted) else step
        if isinstance(command, _Priced):
            _ask(twin, _prices(twin, command.price_micros))
            continue
        (answer,) = twin.ask(OPERATOR, command)
        if isinstance(answer, ids.Refusal):
            assert isinstance(step, commands.Wanted), f"the twin's own plant is refused: {answer}"
            raise tree.DocumentError([step.problem(answer, answer.detail)])
        _settle(twin)
    claimed = twin.world.state.claims
    seller = claimed.estate.party if claimed.estate is not None else SELLER
    known = {contract.tenant for contract in claimed.contracts.values()}
    for tenant in tenants:
        if tenant not in known:
            contract = claims.ContractPlan(
                ids.ContractId(f"contract-{tenant}"), 1, seller, ids.TenantId(tenant), plant.currency,
                on_demand=True, spot=True,
            )  # fmt: skip
            _ask(twin, claims.SignContract(contract))


def _ask(twin: Twin, command: ids.Command) -> None:
    (answer,) = twin.ask(OPERATOR, command)
    assert not isinstance(answer, ids.Refusal), f"the twin's own plant is refused: {answer}"


def _prices(twin: Twin, price_micros: int) -> money.ApplyPriceList:
    skus = sorted({rack.sku for rack in twin.world.state.supply.racks.values()})
    tiers = (gangs.Tier.ON_DEMAND, gangs.Tier.SPOT)
    prices = tuple(money.Price(tier, sku, price_micros) for tier in tiers for sku in skus)
    return money.ApplyPriceList(money.PriceList(1, "USD", 0, prices))


def _settle(twin: Twin) -> None:
    """Dates that are provisional are estimated, as beside a server."""
    for schedule in list(twin.world.state.supply.schedules.values()):
        if schedule.forecast is None or schedule.forecast.graph != schedule.graph:
            from forebay.planner import delays  # numpy takes 0.1 s, and few plants are still to be built

            twin.ask(PLANNER, delays.forecast(schedule, twin.clock.now()))
