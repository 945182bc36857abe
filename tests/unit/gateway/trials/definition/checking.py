"""Checking the example's form, or a variation of its study."""

from gateway.trials.definition.checks import check_form
from gateway.trials.definition.findings import Finding, Rule, Weight
from gateway.trials.definition.forms import CapturedForm
from gateway.trials.definition.reading import read_definitions
from gateway.trials.definition.references import Directory, directory
from tests.unit.gateway.trials.definition.vitals import METADATA, document, vitals


def found(captured: CapturedForm, *, within: Directory | None = None, language: str = "en") -> list[Finding]:
    return list(check_form(captured, within or vitals(), language=language))


def of(name: str, findings: list[Finding]) -> list[tuple[Rule, Weight, str]]:
    return [(one.rule, one.weight, one.message) for one in findings if one.item == f"IT.{name}"]


def changed(*changes: tuple[str, str]) -> Directory:
    text = METADATA
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (definition,) = read_definitions(document(text))
    return directory(definition)
