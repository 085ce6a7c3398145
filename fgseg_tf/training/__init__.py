"""The training loop, its step, schedule, checkpoints and machines."""
