#!/usr/bin/env python3
"""Reads checkov's answer for one template: nothing failed, and each exception that the template
makes, with its reason, is still needed."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path


def main() -> None:
    """Says what is wrong, and ends with 1 if anything is."""
    answer = json.load(sys.stdin)
    reports = answer if isinstance(answer, list) else [answer]
    results = [report["results"] for report in reports if "results" in report]
    wrong = [
        f"{check['check_id']} {check['resource']}: {check['check_name']}"
        for result in results
        for check in result["failed_checks"]
    ]
    passed = sum(len(result["passed_checks"]) for result in results)
    if not passed:
        wrong.append("no check passed: checkov did not read the template")
    skipped = Counter(c["check_id"] for result in results for c in result["skipped_checks"])
    excepted = Counter(re.findall(r"\{id: (CKV\w+), comment: .", Path(sys.argv[1]).read_text()))
    wrong += [f"{check}: an exception that nothing needs" for check in (excepted - skipped)]
    print("\n".join(wrong) or f"{passed} passed, {skipped.total()} exceptions")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
