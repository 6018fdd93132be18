"""What of a stock counts as unsold? A backstop says: what is free of everything, or whatever no tranche is promised.

What is held, on offer, or may be called or extended is not sold yet. By the usual reading the seller may not put it
to the customer all the same; by the other it may, and who then takes what was kept makes somebody go short. What the
policy keeps to make a loss good is not for sale by either.
"""

from __future__ import annotations

from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.rights import RightPlan, Unsold
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import Steps


def nodes_unsold(calendar: Calendar, plan: RightPlan, confidence: Confidence) -> Steps:
    """Nodes of a backstop's scope that are unsold as it counts that; below 0 where more is promised than there is."""
    stock = Stock(plan.site, plan.sku)
    if plan.unsold is Unsold.AVAILABLE:
        return calendar.available(stock, confidence)
    return calendar.uncommitted(stock, confidence).minus(calendar.spares(stock, confidence))
