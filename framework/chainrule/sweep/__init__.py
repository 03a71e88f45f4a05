"""Many configurations: compose them, group them into stacks, train, record, resume."""
