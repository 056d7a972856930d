"""Prints what stands in infra/ as JSON, and what SAM makes of template.yaml. Runs in SAM CLI's
environment, which has the parser and the transform; the tests call it and read what it prints."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).resolve().parents[2] / "infra"
FILES = ("template.yaml", "pipeline.yaml", "function-alarms.yaml", "network.yaml", "local.yaml")


class NoManagedPolicies:
    """There are none to be looked up: the roles are written out."""

    def load(self) -> dict[str, str]:
        """No policy."""
        return {}


def native(template: dict[str, Any]) -> dict[str, Any]:
    """The template in CloudFormation's own words."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # Where `sam deploy` uploads to is not known here.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, NoManagedPolicies())


def main() -> None:
    """Each file as it is written, and the first as it is deployed."""
    found = {name: yaml_parse((INFRA / name).read_text()) for name in FILES}
    found["native"] = native(found["template.yaml"])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
