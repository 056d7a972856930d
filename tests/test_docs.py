"""What the documents name is there: linked files and headings, make targets, verbs and options."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path

import pytest
from harness.tidegate import ROOT, Tidegate

DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in ("target", ".git", ".venv") for part in path.relative_to(ROOT).parts)
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL = ("sh", "bash", "console", "shell")


def commands(text: str) -> list[str]:
    """The command lines of a document's shell blocks, continued lines joined."""
    found = []
    for language, block in FENCE.findall(text):
        if language in SHELL:
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.strip().removeprefix("$ ").split(" #")[0] for line in lines]
    return [line for line in found if line and not line.startswith("#")]


def anchors(text: str) -> set[str]:
    """The headings of a document, as links name them."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", text), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@functools.cache
def targets() -> set[str]:
    """The Makefile's targets."""
    return set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.M))


@functools.cache
def options(tidegate: Tidegate, verb: str) -> str:
    """The help of a verb."""
    return tidegate.call(verb, "--help", as_json=False).out


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_link_leads_somewhere(document: Path):
    """Relative links: the file is there, and the heading in it."""
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}"
        if heading:
            assert heading in anchors(target.read_text()), f"{document.name} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_command_exists(document: Path, tidegate: Tidegate):
    """`make` targets, `tidegate` verbs and their options are there, as they are written."""
    for line in commands(document.read_text()):
        words = line.split()
        if words[0] == "make":
            named = [word for word in words[1:] if "=" not in word]
            assert set(named) <= targets(), f"{document.name}: {line}"
        if words[:2] == ["cargo", "run"]:
            words = ["tidegate", *words[words.index("--") + 1 :]]
        if words[0].endswith("tidegate") and len(words) > 1 and not words[1].startswith("-"):
            text = options(tidegate, words[1])
            for option in re.findall(r"(?<= )--[a-z-]+", line.split(" -- ")[-1]):
                assert option in text or option == "--help", f"{document.name}: {line}"


def test_the_readme_names_the_test_command_that_ci_runs():
    """`.ci/run` is README's test command and nothing else."""
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    work = [line for line in script if line and not line.startswith(("#", "set ", "cd "))]
    assert work == ["make test"]
    assert "make test" in commands((ROOT / "README.md").read_text())


def test_the_specs_of_the_documents_are_good(tidegate: Tidegate, tmp_path: Path):
    """Each JSON block that is a spec passes the binary's own reading: `verify` of a destination
    that holds nothing yet gets past it."""
    for document in DOCUMENTS:
        for language, block in FENCE.findall(document.read_text()):
            if language != "json" or '"pipeline"' not in block or '"destination"' not in block:
                continue
            spec = json.loads(block)
            if not str(spec["destination"]).startswith("file://"):
                continue
            spec["destination"] = f"file://{tmp_path / 'lake'}"
            path = tmp_path / "spec.json"
            path.write_text(json.dumps(spec))
            ended = tidegate.call("status", path, code=None)
            assert ended.code != 2, f"{document.name}: {ended.err}"


def test_the_makefile_explains_each_target():
    """At most twelve targets, each with a line in `make help`."""
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    explained = set(re.findall(r"^ *(?:make )?([a-z][a-z0-9-]*) ", shown.stdout, re.M))
    assert targets() <= explained and len(targets()) <= 12, shown.stdout
