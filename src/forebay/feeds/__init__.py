"""Readings and inventories in, records out."""
