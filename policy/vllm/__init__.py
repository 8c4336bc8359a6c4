"""Sampling on vLLM: its HTTP API, token ids in and out. It imports no torch."""
