"""Plugins: their hooks, the table of kinds, how plugins are found and checked, and watchers of runs."""
