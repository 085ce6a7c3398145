"""Scores of a trained network: by split, by severity, on real footage, beside its baselines."""
