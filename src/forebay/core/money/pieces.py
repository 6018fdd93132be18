"""What belongs together in a period: lines of a tranche that its prices cut apart, and the energy behind them.

Looked up for each line, so it is gathered once: a period may have as many tranches as it has lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.core import usage
from forebay.core.energy import EnergySource
from forebay.core.ids import TrancheId
from forebay.core.placements.gang import Tier

#: A tranche, and the start of the period that its lines are of.
_Mark = tuple[TrancheId, int]


@dataclass(slots=True)
class Pieces:
    """The lines of a period, tranche by tranche."""

    #: Of the claim's own work, in microjoules.
    energy_uj: dict[_Mark, int] = field(default_factory=dict)
    #: Where that is known from.
    sources: dict[_Mark, EnergySource] = field(default_factory=dict)
    lines: dict[_Mark, list[usage.TrancheLine]] = field(default_factory=dict)
    #: When prices of a tranche changed.
    cuts: dict[TrancheId, list[int]] = field(default_factory=dict)

    def energy_of(self, line: usage.TrancheLine) -> tuple[int, EnergySource]:
        """Energy behind a line of a tranche: that of its period, shared by use where its price changed within;
        and where it is known from.
        """
        energy_uj = self.energy_uj.get((line.tranche, line.period_start), 0)
        pieces = self.lines[line.tranche, line.period_start]
        used_us = sum(each.used_gpu_us for each in pieces) or 1
        shares = [energy_uj * each.used_gpu_us // used_us for each in pieces[:-1]]
        source = self.sources.get((line.tranche, line.period_start), EnergySource.PROFILE)
        return (*shares, energy_uj - sum(shares))[pieces.index(line)], source


def pieces_of(closed: usage.PeriodClosed) -> Pieces:
    """The lines of a period, put together."""
    found = Pieces()
    for used in closed.lines:
        if used.tier is Tier.DEDICATED:
            mark = (used.claim, used.period_start)
            found.energy_uj[mark] = found.energy_uj.get(mark, 0) + used.energy_uj
            same = found.sources.setdefault(mark, used.energy_source) is used.energy_source
            if not same:
                found.sources[mark] = EnergySource.MIXED
    for line in closed.tranches:
        found.lines.setdefault((line.tranche, line.period_start), []).append(line)
        found.cuts.setdefault(line.tranche, []).append(line.since)
    return found
