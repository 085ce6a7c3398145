"""The depth teacher: its network and weights, and the training of the small one that is packaged."""
