"""Whether a captured form has the parts of its definition, and each as often as it may be there."""

from collections import Counter
from collections.abc import Iterable, Iterator

from gateway.errors import CallerError
from gateway.trials.definition.findings import Finding, Place, Rule, Weight
from gateway.trials.definition.forms import CapturedForm, CapturedGroup
from gateway.trials.definition.model import FormDef, Ref
from gateway.trials.definition.references import Directory


def form_of(form: CapturedForm, found: Directory) -> FormDef:
    """The definition of a captured form. Raises CallerError for another study or version, and for an event or form that
    is not defined, or not together."""
    study = found.definition
    if (form.study, form.version) != (study.oid, study.version_oid):
        raise CallerError("is of another study, or of another version of it", field=("form", form.form[:64]))
    event = found.events.get(form.event)
    if event is None:
        raise CallerError("is no event of the study", field=("event", form.event[:64]))
    if form.form not in found.forms or all(ref.oid != form.form for ref in event.forms):
        raise CallerError("is no form of the event", field=("form", form.form[:64]))
    return found.forms[form.form]


def check_structure(form: CapturedForm, found: Directory) -> Iterator[Finding]:
    """Parts that the form does not have, repeats that it may not have, and repeats that cannot be told apart."""
    definition = form_of(form, found)
    if form.event_repeat_key is not None and not found.events[form.event].repeating:
        yield _hard((), None, "the event does not repeat, and has a repeat key")
    if form.form_repeat_key is not None and not definition.repeating:
        yield _hard((), None, "the form does not repeat, and has a repeat key")
    yield from _groups(form.groups, definition.groups, found, ())


def _hard(places: tuple[Place, ...], item: str | None, message: str) -> Finding:
    return Finding(rule=Rule.STRUCTURE, weight=Weight.HARD, places=places, item=item, message=message)


def _groups(
    captured: tuple[CapturedGroup, ...], refs: Iterable[Ref], found: Directory, places: tuple[Place, ...]
) -> Iterator[Finding]:
    allowed = {ref.oid for ref in refs}
    times = Counter(group.oid for group in captured)
    keys = Counter((group.oid, group.repeat_key) for group in captured)
    for group in captured:
        here = (*places, Place(group=group.oid, repeat_key=group.repeat_key))
        definition = found.groups.get(group.oid)
        if definition is None or group.oid not in allowed:
            yield _hard(here, None, "is no group of it")
            continue
        if times[group.oid] > 1 and not definition.repeating:
            yield _hard(here, None, "does not repeat, and is there more than once")
        elif keys[group.oid, group.repeat_key] > 1:
            yield _hard(here, None, "has the repeat key of another repeat")
        yield from _items(group, {one.oid for one in definition.items}, here)
        yield from _groups(group.groups, definition.groups, found, here)


def _items(group: CapturedGroup, allowed: set[str], places: tuple[Place, ...]) -> Iterator[Finding]:
    times = Counter(item.oid for item in group.items)
    for item in group.items:
        if item.oid not in allowed:
            yield _hard(places, item.oid, "is no item of the group")
        elif times[item.oid] > 1:
            yield _hard(places, item.oid, "is there more than once")
