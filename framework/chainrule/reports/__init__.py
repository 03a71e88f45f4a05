"""HTML pages about sweeps and comparisons."""
