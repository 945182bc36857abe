"""What a study captures, whether ODM 1.3 or 2.0 said it: events hold forms, forms hold groups, groups hold items.

True here: an ItemGroupDef of ODM 2.0 whose Type is Form is a form. Lists are in the order of the document. What ODM
can say and these classes cannot is in `kept`, under its own name.
Not done here: items (`items`), whether references resolve (`references`), reading (`reading`), checks (`checks`).
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.trials.definition.elements import NOTHING_KEPT, Kept
from gateway.trials.definition.items import CodeList, ItemDef, Unit
from gateway.trials.definition.texts import Alias, Expression, Texts


class EventType(StrEnum):
    SCHEDULED = "Scheduled"
    UNSCHEDULED = "Unscheduled"
    COMMON = "Common"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """That an event, form or group is part of another. `exception`: OID of the condition under which it is not
    collected."""

    oid: str
    mandatory: bool
    order: int | None = None
    exception: str | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRef(Ref):
    """That an item is part of a group. `method`: OID of how it is derived."""

    key_sequence: int | None = None
    role: str | None = None
    role_code_list: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemGroupDef:
    """`members`: items, and in ODM 2.0 groups too, in the order of the document. `domain`: of SDTM or CDASH."""

    oid: str
    name: str
    repeating: bool
    domain: str | None = None
    description: Texts = ()
    members: tuple[Ref, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT

    @property
    def items(self) -> tuple[ItemRef, ...]:
        return tuple(one for one in self.members if isinstance(one, ItemRef))

    @property
    def groups(self) -> tuple[Ref, ...]:
        return tuple(one for one in self.members if not isinstance(one, ItemRef))


@dataclass(frozen=True, slots=True, kw_only=True)
class FormDef:
    oid: str
    name: str
    repeating: bool
    description: Texts = ()
    groups: tuple[Ref, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEventDef:
    oid: str
    name: str
    type: EventType
    repeating: bool
    category: str | None = None
    description: Texts = ()
    forms: tuple[Ref, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDef:
    """The same condition once in each language that `expressions` has."""

    oid: str
    name: str
    description: Texts
    expressions: tuple[Expression, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDef:
    """How an item is derived; `type`: as ODM says it (Computation, Imputation …)."""

    oid: str
    name: str
    type: str | None = None
    description: Texts
    expressions: tuple[Expression, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Which events are planned, in their order; ODM 2.0 says that in `kept` (groups of events, timings, workflows)."""

    description: Texts = ()
    events: tuple[Ref, ...] = ()
    aliases: tuple[Alias, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDefinition:
    """One version of one study's metadata. `kept` is of the version, `study_kept` of the study around it."""

    oid: str
    name: str
    description: Texts
    protocol_name: str
    version_oid: str
    version_name: str
    version_description: Texts = ()
    protocol: Protocol | None = None
    events: tuple[StudyEventDef, ...] = ()
    forms: tuple[FormDef, ...] = ()
    groups: tuple[ItemGroupDef, ...] = ()
    items: tuple[ItemDef, ...] = ()
    code_lists: tuple[CodeList, ...] = ()
    units: tuple[Unit, ...] = ()
    conditions: tuple[ConditionDef, ...] = ()
    methods: tuple[MethodDef, ...] = ()
    study_kept: Kept = NOTHING_KEPT
    kept: Kept = NOTHING_KEPT
