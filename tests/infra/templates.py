"""The templates of infra/ as they are deployed: parameters filled in, conditions decided."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.tidegate import ROOT

INFRA = ROOT / "infra"
FUNCTIONS = ("Planner", "Reader", "Finalizer")
NOTHING = object()
LISTS = ("CommaDelimitedList", "List<String>")
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "tidegate",
    "AWS::NoValue": NOTHING,
}
# What has no default.
GIVEN = {
    "Pipeline": "rides",
    "Spec": '{"pipeline": "rides"}',
    "BucketName": "lake",
    "Platform": "tidegate",
    "ScheduleRoleArn": "arn:role",
    "AlarmTopicArn": "",
    "FunctionName": "tidegate-planner",
}


@functools.cache
def documents() -> dict[str, Any]:
    """Each template as it is written, by its file; `native` is what SAM makes of the first."""
    setup = subprocess.run(
        [ROOT / "tests" / "aws" / "setup.sh", "sam"], check=True, stdout=subprocess.PIPE, text=True
    )
    python = Path(setup.stdout.strip()) / "python"
    ended = subprocess.run(
        [python, Path(__file__).with_name("transform.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_DEFAULT_REGION": PSEUDO["AWS::Region"]},
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def resources(template: str = "native", **parameters: str) -> dict[str, dict[str, Any]]:
    """The resources that a deployment with these parameters has; other parameters have their
    defaults."""
    document = documents()[template]
    deployment = Deployment(document, parameters)
    found = {}
    for name, resource in document["Resources"].items():
        if deployment.holds(resource.get("Condition")):
            found[name] = deployment.resolve(resource)
    return found


def of_type(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of a type, of the stack and of its first pipeline."""
    stack = resources(**parameters)
    inner = stack["FirstPipeline"]["Properties"]["Parameters"]
    nested = resources("pipeline.yaml", **inner)
    return {n: r["Properties"] for n, r in {**stack, **nested}.items() if r["Type"] == kind}


def function(name: str, **parameters: str) -> dict[str, Any]:
    """The properties of a function."""
    return of_type("AWS::Lambda::Function", **parameters)[f"{name}Function"]


def variables(name: str, **parameters: str) -> dict[str, Any]:
    """The variables of a function."""
    return function(name, **parameters)["Environment"]["Variables"]


class Deployment:
    """A template and the values of its parameters."""

    def __init__(self, document: dict[str, Any], parameters: Mapping[str, Any]) -> None:
        declared = document.get("Parameters", {})
        unknown = set(parameters) - set(declared)
        assert not unknown, f"no parameters of the template: {unknown}"
        defaults = {name: p["Default"] for name, p in declared.items() if "Default" in p}
        given = {name: value for name, value in GIVEN.items() if name in declared}
        self.values = {**PSEUDO, **given, **defaults, **parameters}
        self.lists = {n for n, p in declared.items() if p["Type"] in LISTS}
        self.conditions = document.get("Conditions", {})

    def holds(self, condition: str | None) -> bool:
        """Whether a condition is met; none is."""
        return condition is None or self.resolve(self.conditions[condition])

    def resolve(self, node: Any) -> Any:
        """The value of a node. What only AWS can know is named: `<StateTable.Arn>`."""
        if isinstance(node, list):
            found = [self.resolve(item) for item in node]
            return [item for item in found if item is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        found = {name: self.resolve(value) for name, value in node.items()}
        return {name: value for name, value in found.items() if value is not NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "If":
            condition, then, otherwise = argument
            return self.resolve(then if self.holds(condition) else otherwise)
        argument = self.resolve(argument) if name != "Sub" else argument
        match name:
            case "Ref":
                return self._named(argument)
            case "GetAtt":
                return "<{}>".format(".".join(argument) if isinstance(argument, list) else argument)
            case "Sub":
                return self._substitute(argument)
            case "Join":
                return argument[0].join(map(str, argument[1]))
            case "Split":
                return argument[1].split(argument[0])
            case "Equals":
                return str(argument[0]) == str(argument[1])
            case "Not":
                return not argument[0]
            case "And":
                return all(argument)
        raise NotImplementedError(f"Fn::{name}: teach it to tests/infra/templates.py")

    def _named(self, name: str) -> Any:
        value = self.values.get(name, f"<{name}>")
        return value.split(",") if name in self.lists else value

    def _substitute(self, argument: Any) -> str:
        text, more = (argument, {}) if isinstance(argument, str) else argument
        more = {name: self.resolve(value) for name, value in more.items()}
        return re.sub(r"\$\{([^}]+)\}", lambda m: str(more.get(m[1], self._named(m[1]))), text)
