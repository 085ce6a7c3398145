"""The walkthrough: one record from picture to prediction, step by step, as a page."""
