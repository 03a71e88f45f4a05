"""From what was typed to the jobs of a sweep."""
