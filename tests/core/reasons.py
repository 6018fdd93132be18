"""Which nodes are out, by a naive model: every reason is kept for every node, and each node is looked at anew."""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import Event
from forebay.core.supply import DomainKind


class Reasons:
    """Give it every event in order."""

    def __init__(self) -> None:
        #: What racks are on, by the events alone.
        self.racks: dict[str, supply.RackAdded] = {}
        self.parent_of: dict[str, str] = {}
        self.site_of: dict[str, str] = {}
        self.switches: dict[str, tuple[str, ...]] = {}
        self.rack_of: dict[int, str] = {}
        self.reasons: dict[int, set[object]] = {}
        self.kept: dict[int, set[str]] = {}
        self.out: dict[tuple[DomainKind, str], int] = {}
        self.turned: dict[tuple[DomainKind, str] | int, int] = {}
        self.to_pass: dict[int, set[str]] = {}

    def is_out(self, node: int) -> bool:
        """Whether a node may not be run on."""
        return bool(self.reasons.get(node))

    def keeps_free(self, node: int) -> bool:
        """Whether a node takes no new work."""
        return bool(self.kept.get(node))

    def take(self, event: Event) -> list[tuple[int, int, bool]]:
        """Nodes that an event took out or brought back: (node, since when, whether it is well)."""
        found = []
        for node, since, add, remove in self._changes(event):
            reasons = self.reasons.setdefault(node, set())
            was = bool(reasons)
            reasons -= remove
            reasons |= add
            if was is not bool(reasons):
                found.append((node, max(since, *self._latest(node)), not reasons))
            self.turned[node] = max(since, self.turned.get(node, 0))
        return found

    def _latest(self, node: int) -> list[int]:
        above = self._above(self.rack_of[node])
        return [self.turned.get(node, 0), *(self.turned.get(each, 0) for each in above)]

    def _above(self, rack: str) -> list[tuple[DomainKind, str]]:
        stands = self.racks[rack]
        found = [(DomainKind.RACK, rack), (DomainKind.LOOP, str(stands.loop))]
        found += [(DomainKind.SWITCH, name) for name, served in self.switches.items() if rack in served]
        feed = str(stands.feed)
        while feed:
            found.append((DomainKind.FEED, feed))
            feed = self.parent_of[feed]
        return [*found, (DomainKind.HALL, stands.hall), (DomainKind.SITE, self.site_of[stands.hall])]

    def _changes(self, event: Event) -> list[tuple[int, int, set[object], set[object]]]:
        match event:
            case supply.FeedAdded():
                self.parent_of[event.feed] = event.parent
            case supply.HallAdded():
                self.site_of[event.hall] = event.site
            case supply.SwitchAdded():
                self.switches[event.switch] = event.racks
            case supply.RackAdded():
                self.racks[event.rack] = event
                nodes = range(event.first_node, event.first_node + event.nodes)
                self.rack_of.update(dict.fromkeys(nodes, event.rack))
                out: set[object] = {each for each in self._above(event.rack) if each in self.out}
                return [(node, 0, out, set()) for node in nodes if out]
            case supply.NodeHealthChanged(healthy=False):
                self.to_pass.pop(event.node, None)
                return [(event.node, event.effective_at, {"own"}, {"acceptance"})]
            case supply.NodeHealthChanged():
                self.to_pass[event.node] = set(event.checks)
                self.kept.get(event.node, set()).discard("degraded")
                add: set[object] = {"acceptance"} if event.checks else set()
                return [(event.node, event.effective_at, add, {"own"})]
            case supply.NodeChecked():
                left = self.to_pass[event.node]
                left.discard(event.check)
                if not event.passed:
                    return [(event.node, event.effective_at, {"own"}, {"acceptance"})]
                return [(event.node, event.effective_at, set(), set() if left else {"acceptance"})]
            case supply.NodeQuarantined():
                return [(event.node, event.effective_at, {"quarantine"}, set())]
            case supply.NodeReleased():
                return [(event.node, event.effective_at, set(), {"quarantine"})]
            case supply.DomainHealthChanged():
                domain = (event.kind, event.name)
                self.turned[domain] = event.effective_at
                if event.healthy:
                    del self.out[domain]
                else:
                    self.out[domain] = 1
                change: tuple[set[object], set[object]] = (
                    (set(), {domain}) if event.healthy else ({domain}, set())
                )
                return [(node, 0, *change) for node in self._under(domain)]
            case supply.NodeCordoned():
                self.kept.setdefault(event.node, set()).add("cordon")
            case supply.NodeUncordoned():
                self.kept[event.node].discard("cordon")
            case supply.NodeDegraded():
                kept = self.kept.setdefault(event.node, set())
                (kept.add if event.degraded else kept.discard)("degraded")
        return []

    def _under(self, domain: tuple[DomainKind, str]) -> list[int]:
        return [node for node, rack in self.rack_of.items() if domain in self._above(rack)]
