"""The Gradio process: a person at the API, over HTTP only."""
