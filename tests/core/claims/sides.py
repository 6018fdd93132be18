"""A provider and its customer: two Worlds of one contract, and what passes between them, in a line each.

The provider is `us` of the other tests, with its market; the customer has a site of its own, `home`, with 2 racks.
"""

from __future__ import annotations

from typing import Any

from forebay.core import claims, ids
from forebay.core.claims import deliveries, offers, parties
from forebay.core.claims.calendar import Stock
from forebay.core.ids import ContractId, MilestoneId, SiteId, TrancheId
from forebay.core.supply.blocks import Confidence
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import HGX, NORTH, day
from tests.core.plant import FINANCE, OPERATOR, Driver, contract

LAB = "lab"
HOME = SiteId("home")
THERE = Stock(NORTH, HGX)


def estate(party: str = LAB, version: int = 1) -> parties.ApplyEstate:
    return parties.ApplyEstate(parties.Estate(version, party, f"{party}, for people"))


def overlay(of: str = "rent", party: str = LAB, version: int = 1, **terms: Any) -> parties.ApplyOverlay:
    return parties.ApplyOverlay(parties.Overlay(ContractId(of), version, party, **terms))


def behind(tranche: str = "t1", milestone: str = "b1-ready") -> parties.Behind:
    return parties.Behind(TrancheId(tranche), 1, NORTH, MilestoneId(milestone))


def customer(*contracts: claims.ContractPlan) -> Driver:
    """The customer's World, in which it signed these contracts."""
    home = plant.site("home", feeds=(plant.feed("h-f1"),), racks=2)
    driver = plant.plant(contract("own", "team", seller=LAB), sites=(home,))
    driver.ask(estate())
    for each in contracts:
        driver.ask(claims.SignContract(each))
    return driver


def provider(*contracts: claims.ContractPlan, **more: Any) -> Driver:
    """The provider's World, which says that it is `us`."""
    driver = market.market(**more)
    driver.ask(estate("us"))
    for each in contracts:
        driver.ask(claims.SignContract(each))
    return driver


def rental(*tranches: claims.TranchePlan, name: str = "rent", **terms: Any) -> claims.ContractPlan:
    """A contract between the two."""
    made: claims.ContractPlan = contract(
        name, LAB, *tranches, **({"on_demand": False, "spot": False} | terms)
    )
    return made


def internal(name: str, racks: int, start: int, end: int, at: SiteId = NORTH) -> claims.ContractPlan:
    """What the customer promises to a team of its own."""
    plan = market.promise(f"{name}-t", racks, start=start, end=end, site=at, price_micros_per_gpu_hour=0)
    made: claims.ContractPlan = contract(name, name, plan, seller=LAB)
    return made


# What passes between them


def notice(to: int, tranche: str = "t1", number: int = 1, **more: Any) -> deliveries.NotifyDelivery:
    return deliveries.NotifyDelivery(TrancheId(tranche), number, day(to), **more)


def handed(on: int, tranche: str = "t1", number: int = 1) -> deliveries.ReportDelivered:
    return deliveries.ReportDelivered(TrancheId(tranche), number, day(on), "signed by both")


def sale(
    nodes: int = 4, start: int = 0, end: int = 20, at: SiteId = NORTH, price: int = 2_000_000, **more: Any
) -> offers.OfferedSale:
    """What `market.hold` holds, as its seller offers it to us."""
    return offers.OfferedSale(at, more.get("sku", HGX), nodes, day(start), day(end), price)


def received(name: str = "rofr", since: int = 0, anew: bool = False, **terms: Any) -> offers.ReceiveOffer:
    """An offer by a right of ours, received at an instant; 0 for now."""
    return offers.ReceiveOffer(ids.RightId(name), sale(**terms), since, anew)


def expect(p50: int, p90: int, tranche: str = "t1", number: int = 1) -> deliveries.ForecastDelivery:
    return deliveries.ForecastDelivery(TrancheId(tranche), number, day(p50), day(p90), "our own")


# Looking


def there(driver: Driver, on: int, sure: Confidence = Confidence.P90) -> int:
    """Racks that the customer counts on at the provider's site on a day."""
    nodes = driver.world.calendar.supply(THERE, sure).at(day(on))
    assert nodes % 4 == 0
    return nodes // 4


def from_day(driver: Driver, sure: Confidence = Confidence.P90) -> list[tuple[int, int]]:
    """When how many racks are there: (day, racks)."""
    steps = driver.world.calendar.supply(THERE, sure)
    return [((at - plant.T0) // 86_400_000_000 if at else 0, nodes // 4) for at, nodes in steps]


def book(driver: Driver, name: str = "rent") -> claims.entitlements.Book:
    found = claims.entitlements.book_of(driver.world.state.claims, ContractId(name))
    assert found is not None
    return found


def entitled(driver: Driver, name: str = "rent") -> claims.entitlements.Entitlements:
    """What follows from a contract now."""
    return claims.entitlements.entitlements(book(driver, name), driver.world.state.supply, driver.at)


def both(one: Driver, other: Driver, *commands: ids.Command, days: int = 0) -> None:
    """Both sides record the same at the same time, and then the same days pass."""
    for command in commands:
        by = FINANCE if isinstance(command, deliveries.NotifyDelivery) else OPERATOR
        assert one.ask(command, by) == other.ask(command, by)
    one.later(days=days)
    other.later(days=days)
