"""The serving process: an OpenAI-compatible API over one language model, in versions."""
