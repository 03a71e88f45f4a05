"""One run, or a stack of runs: prepare, train, record, tell."""
