"""Which price holds? Learned from price lists; what has none is not taken in."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from forebay.core import claims, supply, usage
from forebay.core.ids import Answer, Refusal, SkuId
from forebay.core.money.price_lists import ApplyPriceList, PriceList, PriceListApplied
from forebay.core.money.state import State
from forebay.core.placements.gang import Tier
from forebay.core.units import MINOR_DIGITS


def apply_prices(state: State, command: ApplyPriceList, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Learn a price list. Refuses: prices_differ, price_version, unknown_currency, bad_price, duplicate_price."""
    prices = command.prices
    known = state.price_lists.get(prices.version)
    if known is not None and _same(known, prices):
        return {"version": prices.version, "changed": False}
    if known is not None:
        return Refusal(
            "prices_differ",
            f"price list {prices.version} is known with other prices; give it a new version",
            "version",
        )
    newest = max(state.price_lists, default=0)
    if prices.version <= newest:
        return Refusal(
            "price_version", f"versions only grow: above {newest} is meant, not {prices.version}", "version"
        )
    if prices.currency not in MINOR_DIGITS:
        return Refusal(
            "unknown_currency",
            f"currency {prices.currency} is not one of {', '.join(MINOR_DIGITS)}",
            "currency",
        )
    seen: set[tuple[Tier, SkuId]] = set()
    for place, price in enumerate(prices.prices):
        if (
            not 0 <= price.price_micros_per_gpu_hour <= claims.PRICE_MICROS_MAX
            or price.tier is Tier.DEDICATED
        ):
            return Refusal("bad_price", "prices are for on_demand and spot, from 0 up", f"prices[{place}]")
        if (price.tier, price.sku) in seen:
            return Refusal("duplicate_price", f"{price.tier} {price.sku} has two prices", f"prices[{place}]")
        seen.add((price.tier, price.sku))
    # A list without a date, or with one that is past, holds from now on.
    emit(PriceListApplied(replace(prices, effective_at=max(at, prices.effective_at))))
    if prices.effective_at <= at:
        emit(usage.PriceSegmentStarted(prices.version))
    return {"version": prices.version, "changed": True}


def _same(known: PriceList, other: PriceList) -> bool:
    """The same list; one that took effect at once has no date of its own to compare."""
    return (known.currency, known.prices) == (other.currency, other.prices) and (
        known.effective_at == other.effective_at or other.effective_at == 0
    )


class Rate(NamedTuple):
    """A price per GPU-hour in micro-units, and the price list that it stands in."""

    version: int
    micros: int


def price(state: State, segment: int, tier: Tier, sku: SkuId, currency: str) -> Rate | None:
    """What holds in a price segment: the price of the last list, up to it, that has such a one in that currency."""
    held = list(state.held_since)
    for version in reversed(held[: held.index(segment) + 1] if segment in held else []):
        prices = state.price_lists[version]
        for entry in prices.prices if prices.currency == currency else ():
            if entry.tier is tier and entry.sku == sku:
                return Rate(version, entry.price_micros_per_gpu_hour)
    return None


def refuse_unpriced(
    state: State, used: usage.State, contract: claims.ContractPlan, tier: Tier, sku: SkuId
) -> Refusal | None:
    """Work that could not be billed is not taken in."""
    if price(state, used.spans[-1].segment, tier, sku, contract.currency) is None:
        return Refusal(
            "no_price", f"no price list in force has a price for {sku} {tier} in {contract.currency}", "sku"
        )
    return None
