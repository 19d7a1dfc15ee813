"""Runs coding agents in a container in which the tools they start cannot reach their credentials."""

__version__ = "0.1.0"  # and in pyproject.toml; a test compares
