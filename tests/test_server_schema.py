"""schemathesis against our own OpenAPI document: requests that fit it, and requests that do not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.server_running import running, settings_for
from tests.tiny_models import make_tiny

EXAMPLES = 50


def test_no_request_breaks_the_server_or_its_document(tmp_path: Path) -> None:
    """No 5xx and no status that the document does not know, 50 examples an operation."""
    command = shutil.which("st", path=str(Path(sys.executable).parent))
    assert command, "schemathesis is one of the tests' requirements"
    with running(settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))) as server:
        done = subprocess.run(
            [
                command,
                "run",
                f"{server.url}/openapi.json",
                "--checks=not_a_server_error,status_code_conformance,response_schema_conformance",
                "--phases=examples,coverage,fuzzing",
                f"--max-examples={EXAMPLES}",
                "--seed=1",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=900,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
