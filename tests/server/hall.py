"""A hall whose racks hang on two feeds and two cooling loops, and contracts for them that begin in a while."""

from __future__ import annotations

#: Eight racks in two rows; each row is half on either loop.
HALL = """\
forebay: 1
kind: Site
id: fell
title: The fell
region: north
jurisdiction: NO
feeds: [{id: fell-a, limit: 1 MW}, {id: fell-b, limit: 1 MW}]
halls:
  - id: fell-h1
    racks:
      - {id: 'fa[1-2]', sku: gb300-nvl72, feed: fell-a, row: east, loop: cold-1}
      - {id: 'fa[3-4]', sku: gb300-nvl72, feed: fell-a, row: east, loop: cold-2}
      - {id: 'fb[1-2]', sku: gb300-nvl72, feed: fell-b, row: west, loop: cold-1}
      - {id: 'fb[3-4]', sku: gb300-nvl72, feed: fell-b, row: west, loop: cold-2}
"""
SKU = "gb300-nvl72"


def later(tenant: str, racks: int, start: str = "2027-01-01") -> str:
    """So many racks in a month, for a year."""
    return f"""\
forebay: 1
kind: Contract
id: {tenant}-9
seller: us
tenant: {tenant}
currency: USD
zone: UTC
tranches:
  - {{id: {tenant}-fell, site: fell, sku: {SKU}, count: {racks}, start: {start}, term: 365d, price_per_gpu_hour: 2}}
"""
