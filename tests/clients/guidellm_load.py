"""GuideLLM: two streams of made-up prompts, and what it counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

url, folder, tokenizer = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
report = folder / "report.json"
command = [str(Path(sys.executable).parent / "guidellm"), "benchmark", "run"]
command += ["--target", url, "--processor", tokenizer, "--data", "prompt_tokens=16,output_tokens=8"]
command += ["--profile", "concurrent", "--rate", "2", "--max-requests", "6"]
command += ["--output-path", str(report)]
done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
if done.returncode:
    sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
totals = json.loads(report.read_text())["benchmarks"][0]["metrics"]["request_totals"]
print(json.dumps(totals))
