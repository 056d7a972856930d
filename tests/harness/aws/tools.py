"""The tools of the deployment, each in its environment: SAM CLI, MiniStack, cargo-lambda."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
ROOT = TESTS.parent
REGION = "us-east-1"
ACCOUNT = "000000000000"
# MiniStack takes this key for the account's root, which may do everything.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    # Nobody asks a machine of AWS for its own credentials.
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}


@functools.cache
def bin_folder(tool: str) -> Path:
    """The folder of a tool's programs: `sam`, `ministack` or `cargo-lambda`, made if need be."""
    script = TESTS / "aws" / "setup.sh"
    found = subprocess.run([script, tool], check=True, stdout=subprocess.PIPE, text=True)
    return Path(found.stdout.strip())


def environment(*tools: str, **more: str) -> dict[str, str]:
    """The environment of a call that finds these tools, and no account but the local one."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join([*(str(bin_folder(tool)) for tool in tools), mine["PATH"]])
    return mine | CREDENTIALS | {"PATH": path} | more


def call(
    command: list[str | Path], cwd: Path, env: Mapping[str, str], log: Path, seconds: float
) -> None:
    """Runs a command to its end; its output goes to `log`, and is shown if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as out:
        ended = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
    assert ended.returncode == 0, (
        f"{' '.join(map(str, command))} ended with {ended.returncode}:\n"
        f"{log.read_text(errors='replace')[-6000:]}"
    )
