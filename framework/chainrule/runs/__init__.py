"""Prepare, train and record a run or a stack of runs, and tell the watchers."""
