"""The `llm` command: its configuration names the server, then a prompt and a streamed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

url, folder = sys.argv[1], Path(sys.argv[2])
(folder / "extra-openai-models.yaml").write_text(f"""
- model_id: rankloop
  model_name: rankloop
  api_base: "{url}/v1"
""")


def llm(*words: str) -> str:
    command = [sys.executable, "-m", "llm", "-m", "rankloop", "--key", "none", "-o", "seed", "7"]
    environment = {**os.environ, "LLM_USER_PATH": str(folder)}
    done = subprocess.run(
        [*command, "-o", "max_tokens", "16", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


print(json.dumps({"text": llm("--no-stream", "Hello!"), "streamed": llm("Hello!")}))
