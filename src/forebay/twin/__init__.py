"""The same core and loop under a virtual clock, with a simulated plant and faults."""
