"""Where work really runs, and the simulated engine that passes the same tests."""
