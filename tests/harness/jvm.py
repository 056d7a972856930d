"""Java for a broker: its command line, and what makes it start within two seconds.

Two things are made once and kept in the cache: a class data archive (a start costs 1.5 CPU seconds
with it, 5.4 without any of these flags), and the folder that `StorageTool format` writes, which
holds no port, node or cluster id and so serves every broker.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("TIDEGATE_CACHE", Path.home() / ".cache" / "tidegate"))
FLAGS = [
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
]
# Both are needed: otherwise an archive that does not fit the JVM costs a warning at each start.
QUIET = ["-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


def libs() -> Path:
    """The folder of the broker's jars, fetched if need be."""
    script = HERE.parent / "kafka" / "fetch.sh"
    found = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True)
    return Path(found.stdout.strip()).resolve()


class Java:
    """The JVM and the jars, with what is kept for them. `heap_mb`: what a broker's heap may take;
    one with many partitions needs more."""

    def __init__(self, jars: Path) -> None:
        self.jars = jars
        self.heap_mb = 384
        java = subprocess.run(["java", "-version"], check=True, capture_output=True, text=True)
        # The archive is bound to the JVM and to the jars' paths, sizes and times.
        facts = [java.stderr, str(jars)]
        for jar in sorted(jars.glob("*.jar")):
            facts.append(f"{jar.name} {jar.stat().st_size} {jar.stat().st_mtime_ns}")
        mark = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]
        self.kept = CACHE / f"kafka-start-{mark}"
        self.archive = self.kept / "classes.jsa"
        self.formatted = self.kept / "formatted"

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs a class of the broker's jars."""
        # Kafka 4 reads the one, Kafka 3 the other.
        kafka = HERE.parent / "kafka"
        log = [
            f"-Dlog4j2.configurationFile={kafka / 'log4j2.properties'}",
            f"-Dlog4j.configuration=file:{kafka / 'log4j.properties'}",
        ]
        share = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive.exists() else []
        heap = f"-Xmx{self.heap_mb}m"
        return ["java", heap, *FLAGS, *QUIET, *share, "-cp", f"{self.jars}/*", *log, *arguments]

    def prepare(self, start_and_stop: Callable[[Path, list[str]], None]) -> None:
        """Makes what is kept, unless it is there. `start_and_stop` runs one broker in a folder,
        by the command line that it is given."""
        self.kept.mkdir(parents=True, exist_ok=True)
        with open(self.kept / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.formatted.exists():
                self._format()
            if not self.archive.exists():
                # At this JVM's end the classes that it loaded are written down.
                part = self.kept / "classes.part"
                recording = self.command("kafka.Kafka")
                recording.insert(1, f"-XX:ArchiveClassesAtExit={part}")
                with tempfile.TemporaryDirectory(dir=self.kept) as folder:
                    start_and_stop(Path(folder) / "broker", recording)
                if part.exists():
                    part.rename(self.archive)

    def _format(self) -> None:
        folder = Path(tempfile.mkdtemp(dir=self.kept))
        properties = folder / "server.properties"
        properties.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"log.dirs={folder}/data\ncontroller.quorum.voters=1@127.0.0.1:1\n"
            "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\n"
            "controller.listener.names=CONTROLLER\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        )
        tool = ["kafka.tools.StorageTool", "format", "-t", "tests", "-c", str(properties)]
        subprocess.run(self.command(*tool), check=True, stdout=subprocess.DEVNULL)
        (folder / "data" / "meta.properties").unlink()
        (folder / "data").rename(self.formatted)
        shutil.rmtree(folder)
