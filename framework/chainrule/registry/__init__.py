"""Plugins: the hooks, the table of kinds, finding and checking plugins, and those who watch runs."""
