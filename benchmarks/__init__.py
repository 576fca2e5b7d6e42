"""Measurements: scripts that print a table, never tests. The results, with the machine, are in README.md."""
