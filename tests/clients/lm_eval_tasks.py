"""lm-evaluation-harness: a task of written answers over the chat, and one of log-likelihoods over
plain completions with token ids. Both read their four questions from a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import lm_eval
from lm_eval.tasks import TaskManager

url, folder, tokenizer = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

questions = [
    {"question": f"What is {a} plus {b}?", "answer": str(a + b)}
    for a, b in ((1, 2), (2, 2), (3, 4), (5, 3))
]
(folder / "sums.json").write_text("\n".join(map(json.dumps, questions)))
common = f"""
dataset_path: json
dataset_kwargs:
  data_files:
    test: {folder}/sums.json
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
"""
(folder / "sums_written.yaml").write_text(f"""
task: sums_written
output_type: generate_until
{common}
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 16
metric_list:
  - metric: exact_match
""")
(folder / "sums_chosen.yaml").write_text(f"""
task: sums_chosen
output_type: multiple_choice
{common}
doc_to_choice: ["3", "4", "7", "8"]
metric_list:
  - metric: acc
""")

tasks = TaskManager(include_path=str(folder))
written = lm_eval.simple_evaluate(
    model="local-chat-completions",
    model_args={"model": "rankloop", "base_url": f"{url}/v1/chat/completions", "num_concurrent": 2},
    tasks=["sums_written"],
    task_manager=tasks,
    apply_chat_template=True,
)
chosen = lm_eval.simple_evaluate(
    model="local-completions",
    model_args={
        "model": "rankloop",
        "base_url": f"{url}/v1/completions",
        "tokenizer": tokenizer,
        "num_concurrent": 2,
    },
    tasks=["sums_chosen"],
    task_manager=tasks,
)
choices = [
    [logp for (logp, _greedy), *_ in sample["resps"]] for sample in chosen["samples"]["sums_chosen"]
]
found = {
    "written": [sample["resps"][0][0] for sample in written["samples"]["sums_written"]],
    "exact_match": written["results"]["sums_written"]["exact_match,none"],
    "accuracy": chosen["results"]["sums_chosen"]["acc,none"],
    "choices": choices,
}
print(json.dumps(found))
