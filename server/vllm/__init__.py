"""The sampler that has its tokens from vLLM: its engines, what they hold, and who answers."""
