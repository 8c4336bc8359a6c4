"""LangChain's chat model for OpenAI: one answer, one stream, several prompts at once."""

from __future__ import annotations

import json
import sys

from langchain_openai import ChatOpenAI

chat = ChatOpenAI(
    base_url=f"{sys.argv[1]}/v1",
    api_key="none",
    model="rankloop",
    seed=7,
    max_tokens=16,
    max_retries=0,
)
whole = chat.invoke("Hello!")
found = {
    "text": whole.text,
    "streamed": "".join(chunk.text for chunk in chat.stream("Hello!")),
    "batch": [answer.text for answer in chat.batch(["Hello!", "Hello!"])],
    "tokens": whole.usage_metadata["total_tokens"],
}
print(json.dumps(found))
