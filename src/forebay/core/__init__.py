"""The pure core: five stages and the World that joins them. Read `world.py` first.

No clock, randomness, I/O, environment, threads, async or floats; standard library only (a test holds it).
"""
