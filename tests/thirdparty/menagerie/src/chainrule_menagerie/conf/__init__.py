"""Configuration: one folder a group."""
