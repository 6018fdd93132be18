"""What belongs together in a period: energy of a tranche, and where it is known from."""

from __future__ import annotations

from forebay.core import usage
from forebay.core.energy import EnergySource
from forebay.core.ids import SiteId, SkuId, TenantId, TrancheId
from forebay.core.money.pieces import pieces_of
from forebay.core.placements.gang import Tier

T1 = TrancheId("t1")


def used(segment: int, energy_uj: int, source: EnergySource) -> usage.UsageLine:
    return usage.UsageLine(
        TenantId("acme"), Tier.DEDICATED, T1, TrancheId(""), SkuId("hgx"), SiteId("north"), segment, 5, 10,
        energy_uj, 1, energy_source=source,
    )  # fmt: skip


def booked(used_gpu_us: int, since: int = 0) -> usage.TrancheLine:
    return usage.TrancheLine(T1, 5, 100, used_gpu_us, 0, 100 - used_gpu_us, 0, since)


def test_energy_known_in_two_ways_is_mixed_and_shared_by_use() -> None:
    lines = (used(1, 70, EnergySource.METERED), used(2, 30, EnergySource.PROFILE))
    both = (booked(25), booked(75, 50))
    found = pieces_of(usage.PeriodClosed(5, 105, lines, both))
    assert [found.energy_of(line) for line in both] == [(25, EnergySource.MIXED), (75, EnergySource.MIXED)]
    same = pieces_of(usage.PeriodClosed(5, 105, lines[:1], both[:1]))
    assert same.energy_of(both[0]) == (70, EnergySource.METERED)
    none = pieces_of(usage.PeriodClosed(5, 105, (), both[:1]))
    assert none.energy_of(both[0]) == (0, EnergySource.PROFILE)
