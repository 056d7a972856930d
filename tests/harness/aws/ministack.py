"""MiniStack, the local AWS, as a child process on a free port of 127.0.0.1."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from ..broker import end_with_parent, free_ports
from ..wait import until
from . import processes, tools


class MiniStack:
    """One server with its folder. Functions call the services at `functions_see` (a proxy's
    address), or at its own one; `auth`: IAM is enforced, for all but the key `test`."""

    def __init__(self, folder: Path, functions_see: str | None = None, auth: bool = False) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.functions_see = functions_see or self.endpoint
        self.auth = auth
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / "ministack.log"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None, "it was not started"
        return self.process.pid

    def start(self) -> MiniStack:
        """Starts and waits until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        env = tools.environment(
            "ministack",
            BIND_HOST="127.0.0.1",
            IOT_MTLS_ENABLED="0",
            GATEWAY_PORT=str(self.port),
            AWS_ENDPOINT_URL=self.functions_see,
            AUTH="true" if self.auth else "false",
            # AWS waits minutes before it tries a failed event again.
            LAMBDA_ASYNC_RETRY_BASE_SECONDS="1",
            TMPDIR=str(temporary),
            # AWS sets it by the function's LoggingConfig; the functions have this environment.
            AWS_LAMBDA_LOG_FORMAT="JSON",
        )
        python = tools.bin_folder("ministack") / "python"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [python, "-m", "ministack"],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )
        until("MiniStack answers", self._ready, seconds=60, every=0.05)
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"MiniStack ended with {self.process.returncode}:\n{said}")
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Ends it and its functions, each by its process id."""
        if self.process is None:
            return
        left = processes.functions(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid, name in left.items():
            # It ends them itself, unless it had to be killed.
            if processes.function_of(pid) == name:
                processes.kill(pid)

    def client(self, service: str) -> Any:
        """A client of a service, for the tests' own calls: they pass no proxy and no check."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def _make_client(self, service: str) -> Any:
        session = botocore.session.Session()
        return session.create_client(
            service,
            region_name=tools.REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=tools.CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=tools.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                read_timeout=900,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )
