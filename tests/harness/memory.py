"""The highest resident memory of a call of the binary."""

from __future__ import annotations

import subprocess
import sys

from .pipeline import Pipeline
from .tidegate import DONE

# A process of its own between the tests and the binary: a child's peak memory never reads as less
# than that of its parent.
MEASURE = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(made: Pipeline, *arguments: str, code: int = DONE) -> int:
    """The peak of one `tidegate run`, which must end with `code`."""
    command = [sys.executable, "-c", MEASURE, str(made.tidegate.path), "run", str(made.path)]
    ran = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    ended, peak = map(int, ran.stdout.split())
    assert ended == code, f"exit code {ended} instead of {code}"
    return peak
