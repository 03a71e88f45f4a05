"""Files: paths, locks, YAML text, atomic writing. Nothing here depends on networks."""
