"""Benchmarks: commands of their own, with short versions in the tests."""
