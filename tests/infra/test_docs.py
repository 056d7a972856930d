"""The documents of the deployment say what the templates say."""

from __future__ import annotations

import re

from .alarms import of_pipeline
from .templates import INFRA, documents, of_type, resources

RUNBOOK = (INFRA / "RUNBOOK.md").read_text()


def anchors(text: str) -> set[str]:
    """The second-level headings that are the name of an alarm."""
    return set(re.findall(r"^## ([a-z][a-z-]+)$", text, re.M))


def alarms() -> dict[str, str]:
    """The name of each alarm, without stack, pipeline and function, and its description."""
    found = list(of_type("AWS::CloudWatch::Alarm").values())
    nested = resources("function-alarms.yaml", FunctionName="tidegate-reader", AlarmTopicArn="t")
    found += [resource["Properties"] for resource in nested.values()]
    prefix = r"tidegate-(rides-|reader-)?"
    return {re.sub(prefix, "", a["AlarmName"]): a["AlarmDescription"] for a in found}


def test_the_runbook_has_a_section_for_each_alarm():
    """And for nothing that is none; an alarm's message links to its own."""
    assert anchors(RUNBOOK) == alarms().keys() >= of_pipeline().keys()
    for name, description in alarms().items():
        assert description.endswith(f" infra/RUNBOOK.md#{name}"), name


def test_each_section_of_the_runbook_says_three_things():
    """What it means, how to see why, what to do."""
    for name, section in re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S):
        for said in ("**Means:**", "**See why:**", "**Do:**"):
            assert said in section, f"{name} does not say {said}"


def test_the_readme_has_the_templates_parameters():
    """Name, default and description, in the order of the template."""
    rows = []
    for name, parameter in documents()["template.yaml"]["Parameters"].items():
        default = parameter.get("Default", "required")
        shown = default if default == "required" else f"`{default}`" if default != "" else "none"
        rows.append(f"| `{name}` | {shown} | {parameter['Description']} |\n")
    table = "| parameter | default | |\n|---|---|---|\n" + "".join(rows)
    assert table in (INFRA / "README.md").read_text(), f"infra/README.md needs:\n{table}"


def test_the_readme_names_each_file_of_the_deployment():
    """All templates, and what is not one."""
    text = (INFRA / "README.md").read_text()
    for path in INFRA.glob("*.yaml"):
        assert f"| `{path.name}` |" in text, path.name


def test_the_price_of_a_default_is_worked_out_with_that_default():
    """The tables of costs go from the template's own sizes and times."""
    text = (INFRA / "README.md").read_text()
    parameters = documents()["template.yaml"]["Parameters"]
    assert parameters["ScheduleExpression"]["Default"] == "rate(15 minutes)"
    assert parameters["RollForwardExpression"]["Default"] == "rate(5 minutes)"
    gb_second = 0.0000133334
    planner, reader = (int(parameters[f"{n}Memory"]["Default"]) for n in ("Planner", "Reader"))
    for ticks, sum_said in ((30 * 24 * 4, "= $0.10"), (30 * 24 * 60, "= $1.29")):
        planning = (ticks + 30 * 24 * 12 * 0.2) * planner / 1024
        observing = ticks * reader / 1024
        said = f"{planning:,.0f} + {observing:,.0f} {sum_said}"
        assert said in text
        assert sum_said == f"= ${(planning + observing) * gb_second:.2f}"
    for speed, share in ((75, "0.31"), (50, "0.46"), (150, "0.15")):
        assert share == f"{1e6 / speed * reader / 1024 * gb_second:.2f}"
    watched = len(of_type("AWS::CloudWatch::Alarm")) + 3 * len(resources("function-alarms.yaml"))
    assert f"{watched} alarms" in text
