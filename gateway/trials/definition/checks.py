"""Edit checks: what of a captured form is not as the study defines it.

True here: pure; the findings are all, in the order of the form. What cannot be checked (an expression in another
language, a list of codes kept elsewhere, a unit that differs) is a finding of its own, and never passes in silence. A
finding quotes the definition, never a value.
Not done here: whether a form that has findings may be kept, which is for whoever captures it to decide; methods, which
derive values and check none.
Source: ODM 1.3.2 and 2.0.
"""

from collections.abc import Iterable, Iterator

from gateway.trials.definition.context import Context
from gateway.trials.definition.expressions import NotRun, Tree
from gateway.trials.definition.findings import Finding, Flaw, Place, Rule, Weight
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem, check_size
from gateway.trials.definition.itemchecks import check_item
from gateway.trials.definition.model import ItemRef, Ref
from gateway.trials.definition.references import Directory, in_order
from gateway.trials.definition.structure import check_structure, form_of


def check_form(form: CapturedForm, found: Directory, *, language: str = "en") -> tuple[Finding, ...]:
    """No finding: all checks ran, and hold. Raises CallerError for a form of another study or event, LimitError for one
    that is too large."""
    check_size(form)
    definition = form_of(form, found)
    checking = _Checking(form, found, language)
    groups = checking.groups(form.groups, definition.groups, (), (), 0)
    return (*check_structure(form, found), *groups)


class _Checking:
    def __init__(self, form: CapturedForm, found: Directory, language: str) -> None:
        self._found = found
        self._language = language
        self._context = Context(form, found)

    def groups(
        self,
        captured: tuple[CapturedGroup, ...],
        refs: Iterable[Ref],
        places: tuple[Place, ...],
        trail: tuple[Tree, ...],
        items: int,
    ) -> Iterator[Finding]:
        """Of a form, or of a group that has so many items before its groups. `trail`: as `Context` has it."""
        known = list(refs)
        trees = self._context.groups(trail, items)
        there = {group.oid for group in captured}
        for ref in in_order(known):
            yield from self._ref(ref, places, trail, is_there=ref.oid in there)
        allowed = {ref.oid for ref in known}
        for number, group in enumerate(captured):
            if group.oid in allowed and group.oid in self._found.groups:
                inner = (*trail, trees[number]) if trees else trail
                yield from self._group(group, (*places, _place(group)), inner)

    def _group(self, group: CapturedGroup, places: tuple[Place, ...], trail: tuple[Tree, ...]) -> Iterator[Finding]:
        definition = self._found.groups[group.oid]
        beside = {item.oid: item for item in group.items}
        for ref in in_order(definition.items):
            given = beside.get(ref.oid)
            is_there = given is not None and bool(given.text)
            yield from self._ref(ref, places, trail, is_there=is_there)
            if given is not None and is_there:
                yield from self._item(given, beside, places, trail)
        yield from self.groups(group.groups, definition.groups, places, trail, len(group.items))

    def _item(
        self, given: CapturedItem, beside: dict[str, CapturedItem], places: tuple[Place, ...], trail: tuple[Tree, ...]
    ) -> Iterator[Finding]:
        item = self._found.items.get(given.oid)
        if item is None:
            flaw = Flaw(rule=Rule.TYPE, weight=Weight.NOT_RUN, message="not run: the item is not defined")
            yield _found_at(flaw, places, given.oid)
            return
        flaws = check_item(
            item,
            given,
            beside,
            found=self._found,
            run=lambda expressions: self._context.run(expressions, trail),
            language=self._language,
        )
        for one in flaws:
            yield _found_at(one, places, given.oid)

    def _ref(
        self, ref: Ref, places: tuple[Place, ...], trail: tuple[Tree, ...], *, is_there: bool
    ) -> Iterator[Finding]:
        """Mandatory, and not there; or there, although it is not collected."""
        here, item = (places, ref.oid) if isinstance(ref, ItemRef) else ((*places, _missing(ref)), None)
        missing = Flaw(rule=Rule.MANDATORY, weight=Weight.HARD, message="is mandatory, and is missing")
        if ref.exception is None:
            if ref.mandatory and not is_there:
                yield _found_at(missing, here, item)
            return
        condition = self._found.conditions.get(ref.exception)
        expressions = () if condition is None else condition.expressions
        answer = self._context.run(expressions, trail)
        if isinstance(answer, NotRun):
            if is_there or ref.mandatory:
                rule = Rule.EXCEPTION if is_there else Rule.MANDATORY
                message = f"not run: condition {ref.exception[:64]}: {answer.reason}"
                yield _found_at(Flaw(rule=rule, weight=Weight.NOT_RUN, message=message), here, item)
        elif answer.is_true and is_there:
            message = f"is not collected while condition {ref.exception[:64]} holds"
            yield _found_at(Flaw(rule=Rule.EXCEPTION, weight=Weight.SOFT, message=message), here, item)
        elif not answer.is_true and ref.mandatory and not is_there:
            yield _found_at(missing, here, item)


def _place(group: CapturedGroup) -> Place:
    return Place(group=group.oid, repeat_key=group.repeat_key)


def _missing(ref: Ref) -> Place:
    return Place(group=ref.oid, repeat_key=None)


def _found_at(flaw: Flaw, places: tuple[Place, ...], item: str | None) -> Finding:
    return Finding(rule=flaw.rule, weight=flaw.weight, places=places, item=item, message=flaw.message)
