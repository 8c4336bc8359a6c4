"""Tests: flat, one file for each source file."""
