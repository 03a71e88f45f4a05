"""Statistics of the runs of a sweep or of a comparison."""
