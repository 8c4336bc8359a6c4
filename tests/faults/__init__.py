"""Faults while versions are published, kept and swapped: all rows and the last good version stand.

`python -m tests.faults` runs every row and prints a table.
"""
