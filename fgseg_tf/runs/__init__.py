"""The folder of a run, and the trained network in it."""
