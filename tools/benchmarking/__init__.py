"""What tools/benchmark.py measures: our rates, those of the plain ways, and the limits."""
