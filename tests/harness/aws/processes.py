"""The processes of deployed functions: MiniStack's children, found in /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The processes that a process started, and that live. The kernel's own list of them
    (`/proc/*/task/*/children`) leaves out some while threads end."""
    found = []
    for path in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name stands in parentheses and may hold anything; state and parent follow it.
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found


def variables(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty if it is gone."""
    try:
        entries = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, _, value in pairs}


def function_of(pid: int) -> str | None:
    """The name of the function whose process it is; none if it is none, or is gone."""
    return variables(pid).get("AWS_LAMBDA_FUNCTION_NAME")


def functions(server: int) -> dict[int, str]:
    """Process -> function, of the server's functions."""
    named = ((pid, function_of(pid)) for pid in children(server))
    return {pid: name for pid, name in named if name}


def client_of(server: int, port: int, to: int) -> int | None:
    """Which of the server's functions holds the connection from one TCP port to another: who sent
    a request. The first alone would not do: connections to different ports may share theirs."""
    inode = _inode_of(port, to)
    if inode is None:
        return None
    for pid in children(server):
        with contextlib.suppress(OSError):
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == f"socket:[{inode}]":
                        return pid
    return None


def _inode_of(port: int, to: int) -> str | None:
    """The socket between the two ports, on any of this machine's addresses."""
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / table).read_text().splitlines()[1:]:
                columns = line.split()
                ends = [int(end.rpartition(":")[2], 16) for end in columns[1:3]]
                if ends == [port, to] and columns[9] != "0":
                    return columns[9]
    return None


def kill(pid: int) -> None:
    """SIGKILL, by the process's own id; one that is gone is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    """The most memory that the process ever had resident."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """CPU time that the process used, in the kernel and outside it; 0 if it is gone."""
    try:
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
