"""LiteLLM: a chat, a stream, a plain completion and an error."""

from __future__ import annotations

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

where = {"api_base": f"{sys.argv[1]}/v1", "api_key": "none", "num_retries": 0}
ask = {
    "model": "openai/rankloop",
    "messages": [{"role": "user", "content": "Hello!"}],
    "seed": 7,
    "max_tokens": 16,
    **where,
}
whole = litellm.completion(**ask, n=2)
stream = litellm.completion(**ask, stream=True)
texts = [chunk.choices[0].delta.content or "" for chunk in stream]
plain = litellm.text_completion(
    model="text-completion-openai/rankloop", prompt="One, two", max_tokens=8, **where
)
try:
    litellm.completion(**{**ask, "model": "openai/no-such"})
    error = ""
except litellm.NotFoundError as missing:
    error = type(missing).__name__

found = {
    "texts": [choice.message.content for choice in whole.choices],
    "streamed": "".join(texts),
    "plain": plain.choices[0].text,
    "error": error,
}
print(json.dumps(found))
