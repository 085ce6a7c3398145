"""The two-branch network: its layers, its coding of depth, its weights, and how it is folded or grown."""
