"""Hugging Face's InferenceClient: a chat and a stream."""

from __future__ import annotations

import json
import sys

from huggingface_hub import InferenceClient

client = InferenceClient(base_url=f"{sys.argv[1]}/v1")
ask = {
    "model": "rankloop",
    "messages": [{"role": "user", "content": "Hello!"}],
    "seed": 7,
    "max_tokens": 16,
}
whole = client.chat_completion(**ask)
stream = client.chat_completion(**ask, stream=True)
found = {
    "text": whole.choices[0].message.content,
    "streamed": "".join(c.choices[0].delta.content or "" for c in stream if c.choices),
}
print(json.dumps(found))
