"""GuideLLM: two streams of made-up prompts, and what it counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

url, folder, tokenizer = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
report = folder / "report.json"
command = [str(Path(sys.executable).parent / "guidellm"), "run"]
command += ["--backend", f"kind=openai_http,target={url},model=rankloop"]
command += ["--tokenizer", f"kind=huggingface_auto,model={tokenizer}"]
command += ["--data", "kind=synthetic_text,prompt_tokens=16,output_tokens=8"]
command += ["--profile", "kind=concurrent,streams=2", "--constraint", "kind=max_requests,count=6"]
command += ["--output", f"kind=json,path={report}", "--disable-console"]
done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
if done.returncode:
    sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
totals = json.loads(report.read_text())["benchmarks"][0]["metrics"]["request_totals"]
print(json.dumps(totals))
