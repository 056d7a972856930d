#!/usr/bin/env python3
"""Every crate that the workspace builds on: its licence is one that we may ship under Apache-2.0,
it comes from a registry, and it is not banned. Reads `cargo metadata`; standard library only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ALLOWED = {
    "Apache-2.0": "ours",
    "MIT": "permissive, notice",
    "MIT-0": "permissive, no condition",
    "BSD-2-Clause": "permissive, notice",
    "BSD-3-Clause": "permissive, notice",
    "ISC": "permissive, notice",
    "Zlib": "permissive, no notice in binaries",
    "0BSD": "permissive, no condition",
    "CC0-1.0": "public domain",
    "Unlicense": "public domain",
    "BSL-1.0": "permissive, no notice in binaries",
    "Unicode-3.0": "permissive, notice; Unicode's tables",
    "Apache-2.0 WITH LLVM-exception": "Apache-2.0 with fewer conditions",
}
BANNED = {
    "openssl-sys": "TLS is rustls: one implementation, no system library",
    "openssl": "TLS is rustls: one implementation, no system library",
    "native-tls": "TLS is rustls: one implementation, no system library",
}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with allowed licences alone."""
    # The spelling of old manifests: `MIT/Apache-2.0`.
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either() -> bool:
        left = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            right = both()
            left = left or right
        return left

    def both() -> bool:
        left = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            right = one()
            left = left and right
        return left

    def one() -> bool:
        name = tokens.pop(0)
        if name == "(":
            inside = either()
            tokens.pop(0)
            return inside
        if tokens and tokens[0] == "WITH":
            name = f"{name} {tokens.pop(0)} {tokens.pop(0)}"
        return name in ALLOWED

    return either()


def main() -> int:
    """Names each crate that is against the rules."""
    command = ["cargo", "metadata", "--format-version", "1", "--all-features", "--locked"]
    read = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    packages = json.loads(read.stdout)["packages"]
    wrong = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not (package["source"] or "registry+").startswith("registry+"):
            wrong.append(f"{name}: comes from {package['source']}, not from a registry")
        if package["name"] in BANNED:
            wrong.append(f"{name}: banned ({BANNED[package['name']]})")
        licence = package["license"]
        if not licence or not allowed(licence):
            wrong.append(f"{name}: licence {licence or 'not given'} is not allowed")
    for line in wrong:
        print(f"licences: {line}", file=sys.stderr)
    print(f"licences: {len(packages)} crates, {len(wrong)} against the rules")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
