"""Files: where they lie, locks, YAML text, writing whole or not at all. Knows nothing of networks."""
