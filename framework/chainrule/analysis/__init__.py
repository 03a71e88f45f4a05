"""Statistics: what the runs of a sweep or a comparison say."""
