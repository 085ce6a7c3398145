"""Commands that are also tools/*.py in a clone: they read flags and call what does the work."""
