"""Answers over HTTP, as OpenAI's clients ask for them: from a request's body to its last frame."""
