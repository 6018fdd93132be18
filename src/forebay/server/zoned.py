"""In which zone is a date meant that names none? In that of what the request is about, and the answer says so.

What is about a contract (its tranches, its rights) is meant in the zone of the contract, where its document named
one; else, like all that is about a site, in the zone of the site. Where there is neither it is UTC. A time with an
offset is that instant, whatever it is about.
"""

from __future__ import annotations

from forebay.core import claims, ids
from forebay.core.world import World
from forebay.feeds import quantities
from forebay.server import posted

UTC = "UTC"


class SaidDates:
    """The dates of one request."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        #: The zone, once a date was read in it; "" before.
        self.zone = ""

    def instant(self, text: str, field: str) -> int:
        """A date, a local time or an RFC 3339 time. Raises `problems.Failure`."""
        at = posted.instant_of(text, field, zone=self._zone)
        if not _has_offset(text):
            self.zone = self._zone
        return at

    def received(self, text: str) -> int:
        """When a notice was received; 0 for when it is entered."""
        return self.instant(text, "received_at") if text else 0


def _has_offset(text: str) -> bool:
    try:
        quantities.instant_us(text)
    except quantities.Malformed:
        return False
    return True


def of_site(world: World, site: str) -> str:
    """The zone of a site."""
    known = world.state.supply.sites.get(ids.SiteId(site))
    return known.zone if known is not None and known.zone else UTC


def of_contract(world: World, contract: str, site: str = "") -> str:
    """The zone of a contract; of the site that is meant in it, where its document named none."""
    plan = claims.overlays.contract_named(world.state.claims, ids.ContractId(contract))
    return plan.zone if plan is not None and plan.zone else of_site(world, site)


def of_tranche(world: World, tranche: str) -> str:
    """The zone of a tranche, whichever side of its contract we are."""
    state, name = world.state.claims, ids.TrancheId(tranche)
    known = state.tranches.get(name) or state.rented.tranches.get(name)
    return UTC if known is None else of_contract(world, known.contract, known.plan.site)
