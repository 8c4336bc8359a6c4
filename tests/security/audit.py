"""Known weaknesses of what is installed, as pip-audit finds them."""

from __future__ import annotations

import json
import subprocess
import sys

AUDIT_S = 300


def found() -> str | None:
    """What it found, or that it could not be asked; None where all is clean."""
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off"]
    try:
        run = subprocess.run(
            [*command, "--format", "json"], capture_output=True, text=True, timeout=AUDIT_S
        )
        packages = json.loads(run.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return f"did not run: no answer within {AUDIT_S} s"
    except (json.JSONDecodeError, KeyError):
        return f"did not run: {run.stderr.strip().splitlines()[-1:] or run.returncode}"
    weak = [package for package in packages if package.get("vulns")]
    told = [f"{p['name']} {p['version']}: {', '.join(v['id'] for v in p['vulns'])}" for p in weak]
    unknown = [p["name"] for p in packages if "skip_reason" in p]
    if unknown and not told:
        return f"did not run: the index told nothing of {len(unknown)} of {len(packages)} packages"
    return "; ".join(told) or None
