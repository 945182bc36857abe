"""The form that formal expressions are asked of, as a QuestionnaireResponse.

True here: asked from within a repeating group, the form holds of that group the repeat at hand alone, so that one
expression serves forms with and without repeats. How much is run over a form is bounded.
"""

from collections.abc import Sequence
from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition.expressions import Answered, NotRun, Tree, run, tree
from gateway.trials.definition.forms import CapturedForm, walk
from gateway.trials.definition.references import Directory
from gateway.trials.definition.responses import response
from gateway.trials.definition.texts import Expression

MOST_STEPS: Final = 2_000_000
"""Items looked at, of all expressions of a form."""


class Context:
    """Of one form. A form that has no response runs no expression, and says why."""

    def __init__(self, form: CapturedForm, found: Directory) -> None:
        self._left = MOST_STEPS
        self._size = 1 + sum(1 + len(group.items) for group in walk(form.groups))
        self._root: Tree = None
        self._reason = ""
        try:
            self._root = tree(response(form, found, status="in-progress"))
        except CallerError as error:
            self._reason = f"the form cannot be shown: {' '.join(error.field)} {error.message}"

    def groups(self, trail: Sequence[Tree], items: int) -> list[Tree]:
        """What stands for the groups of the form, or of the last group of a trail, which has so many items."""
        if self._root is None:
            return []
        holder = trail[-1] if trail else self._root
        return list(holder.get("item", []))[items:]

    def run(self, expressions: Sequence[Expression], trail: Sequence[Tree]) -> Answered | NotRun:
        """From within the last group of a trail of them, outermost first."""
        if self._root is None:
            return NotRun(reason=self._reason)
        self._left -= self._size
        if self._left < 0:
            return NotRun(reason="the form is too large to run more expressions over it")
        return run(expressions, _narrowed(self._root, trail))


def _narrowed(holder: Tree, trail: Sequence[Tree]) -> Tree:
    """The holder with, of each group of the trail, that repeat alone."""
    if not trail:
        return holder
    mine, items = trail[0], holder["item"]
    inner = _narrowed(mine, trail[1:])
    alone = [one for one in items if one is mine or one["linkId"] != mine["linkId"]]
    if inner is mine and len(alone) == len(items):
        return holder
    return {**holder, "item": [inner if one is mine else one for one in alone]}
