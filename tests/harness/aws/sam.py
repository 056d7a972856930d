"""`sam build` and `sam deploy`, as a user calls them, against the local AWS."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..jvm import CACHE
from . import tools
from .ministack import MiniStack

TEMPLATE = tools.ROOT / "infra" / "template.yaml"


def built(log: Path | None = None, debug: bool = True) -> Path:
    """The built template: TIDEGATE_SAM_BUILD, or that of this tree, built now."""
    if given := os.environ.get("TIDEGATE_SAM_BUILD"):
        return Path(given).resolve()
    return build(log=log, debug=debug)


def build(template: Path = TEMPLATE, log: Path | None = None, debug: bool = True) -> Path:
    """Builds the functions for this machine, and writes the built template; its path. The folder
    is this tree's own, below the cache, so that a second build has little to do."""
    mark = hashlib.sha256(f"{template}{debug}".encode()).hexdigest()[:8]
    folder = CACHE / f"sam-build-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    more = {"SAM_BUILD_MODE": "debug"} if debug else {}
    env = tools.environment(
        # Before SAM's: cargo-lambda asks the first Python for zig.
        "cargo-lambda",
        "sam",
        # Line numbers would make each function ten times larger, and Lambda takes 250 MB.
        CARGO_PROFILE_DEV_DEBUG="0",
        CARGO_PROFILE_DEV_STRIP="true",
        **more,
    )
    command: list[str | Path] = ["sam", "build", "--template-file", template]
    command += ["--build-dir", folder / "build", "--parameter-overrides", "Architecture=x86_64"]
    command += ["--config-file", _no_config(folder)]
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tools.call(command, tools.ROOT, env, log or folder / "build.log", seconds=3600)
    return folder / "build" / "template.yaml"


def deploy(
    server: MiniStack,
    built: Path,
    stack: str,
    parameters: Mapping[str, str],
    log: Path,
    files: Sequence[str] = (),
) -> None:
    """Deploys the built template, unchanged. `files`: of parameters; those that are given by
    themselves have the last word."""
    env = tools.environment("sam", AWS_ENDPOINT_URL=server.endpoint)
    command: list[str | Path] = ["sam", "deploy", "--template-file", built, "--stack-name", stack]
    command += ["--resolve-s3", "--region", tools.REGION, "--no-confirm-changeset"]
    command += ["--no-fail-on-empty-changeset", "--config-file", _no_config(log.parent)]
    command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    own = [f"{name}={_quoted(value)}" for name, value in parameters.items()]
    command += ["--parameter-overrides", *files, *own]
    tools.call(command, built.parent, env, log, seconds=300)


def _quoted(value: str) -> str:
    """A parameter's value as SAM's own parser wants it: in quotes, with backslashes as they are."""
    escaped = value.replace(chr(34), chr(92) + chr(34))
    return f'"{escaped}"'


def _no_config(folder: Path) -> Path:
    """A configuration that says nothing: what is meant stands in the call."""
    path = folder / "samconfig.toml"
    if not path.exists():
        part = path.with_name(f"samconfig.{os.getpid()}")
        part.write_text("version = 0.1\n")
        part.rename(path)
    return path
