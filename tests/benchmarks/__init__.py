"""Ratios taken in one run on one machine, never absolute bars. `python -m tests.benchmarks`."""
