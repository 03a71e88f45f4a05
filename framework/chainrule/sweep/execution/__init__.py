"""From jobs to stacks, and where stacks are trained: this process, others, clusters."""
