"""chainrule in Python: train runs and sweeps, read records, trace one training step, make a component."""
