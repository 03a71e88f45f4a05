"""From overrides and YAML files to checked settings, by Hydra."""
