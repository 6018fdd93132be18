"""Capacity control plane for AI factories: supply, claims, placements, usage and money in one journal."""

__version__ = "0.1.0"
