"""A FHIR R4 Consent read as terms to be drafted, where our scope can say all that it says; else a refusal that names
the first element that it cannot. Pure.

True here: what is not understood refuses, extensions among it; nothing of a resource is left out in silence but what
FHIR itself calls derived (a generated narrative, displays) and names that the new consent does not keep (`id`,
`identifier`, version and time in `meta`). Not done here: any check of the terms themselves, which drafting does.

Source: https://hl7.org/fhir/R4/consent.html. What `schema.renderings` writes is read back as the same terms.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from graphql import GraphQLError

from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, ConsentInput, Effect, Purpose
from gateway.errors import CallerError
from gateway.ids import ActorId, RecordId, StudyId, SubjectId, from_global
from schema.renderings import ACTIONS, CATEGORY, DUO, RESEARCH, RESOURCE_TYPES, STUDY, TERMINOLOGY, TERMS
from schema.scalars import parse_instant

MOST_ITEMS: Final = 256
"""Of any list: as many as a scope may name."""

_At = tuple[str, ...]
_HASH: Final = re.compile(re.escape(TERMS) + "(0x[0-9a-f]{64})")
_OCTETS: Final = re.compile(r"0x([0-9a-f]{2})+")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_STANDING: Final = frozenset({"active", "draft", "proposed"})
_BASES: Final = {("permit", "OPTIN"): Effect.PERMIT, ("deny", "OPTOUT"): Effect.DENY}
"""What our decision does where no exception applies is what opting in alone means: deny. A deny is laid on top."""
_ROOT: Final = ("resource",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConsent:
    """`signer`: the ERC-7913 signer that the resource says signs it; None where it does not say."""

    asked: ConsentInput
    signer: bytes | None


class _Element:
    """An object of which every member must be taken before it counts as read."""

    def __init__(self, value: object, at: _At) -> None:
        if not isinstance(value, Mapping) or not value:
            raise CallerError("not an element of a FHIR Consent", field=at)
        self._left = dict(value)
        self.at = at

    def take(self, name: str) -> object:
        """Its value, None where it is not said. A null is no value in FHIR."""
        if name in self._left and self._left[name] is None:
            raise _unsaid((*self.at, name))
        return self._left.pop(name, None)

    def text(self, name: str) -> str:
        """Its text, empty where it is not said."""
        value = self.take(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not value:
            raise _unsaid((*self.at, name))
        return value

    def items(self, name: str) -> Sequence[tuple[object, _At]]:
        """Its items, each with where it stands."""
        value = self.take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not 0 < len(value) <= MOST_ITEMS:
            raise _unsaid((*self.at, name))
        return [(item, (*self.at, name, str(place))) for place, item in enumerate(value)]

    def done(self) -> None:
        for name in self._left:
            raise _unsaid((*self.at, str(name)))


def consent_from_fhir(resource: object, *, subject: SubjectId, language: Language) -> ReadConsent:
    """Raises CallerError whose field is the path of what our scope cannot say."""
    root = _Element(resource, _ROOT)
    _only(root, "resourceType", {"Consent"})
    root.text("id")
    _only(root, "status", _STANDING)
    _skim(root)
    _patient(root, subject)
    signer = _performer(root)
    research = _concept(root, "scope", TERMINOLOGY + "consentscope", {"research", "patient-privacy"}) == "research"
    _category(root)
    terms_hash = _policy(root)
    base = _concept(root, "policyRule", TERMINOLOGY + "v3-ActCode", {code for _, code in _BASES})
    provision = _Element(root.take("provision"), (*_ROOT, "provision"))
    root.done()
    kind = _only(provision, "type", {type_ for type_, _ in _BASES})
    if (kind, base) not in _BASES:
        raise _unsaid((*_ROOT, "policyRule"))
    asked = _provision(provision, subject, _BASES[kind, base], terms_hash, language)
    if research != (bool(asked.purposes) and RESEARCH.issuperset(asked.purposes)):
        raise _unsaid((*_ROOT, "scope"))
    return ReadConsent(asked=asked, signer=signer)


# ---- what stands around the provision


def _skim(root: _Element) -> None:
    """What says nothing of its own, and must be of a form that cannot."""
    narrative = root.take("text")
    if narrative is not None:
        part = _Element(narrative, (*_ROOT, "text"))
        _only(part, "status", {"generated"})
        part.text("div")
        part.done()
    for item, at in root.items("identifier"):
        _identifier_parts(item, at)
    meta = root.take("meta")
    if meta is not None:
        part = _Element(meta, (*_ROOT, "meta"))
        part.text("versionId")
        part.text("lastUpdated")
        part.done()


def _patient(root: _Element, subject: SubjectId) -> None:
    at = (*_ROOT, "patient")
    if _reference(root.take("patient"), at, "subject") != "0x" + subject.hex():
        raise CallerError("another patient's, or nobody's", field=at)


def _performer(root: _Element) -> bytes | None:
    found = root.items("performer")
    if not found:
        return None
    if len(found) > 1:
        raise _unsaid((*_ROOT, "performer"))
    ((item, at),) = found
    return _octets(_reference(item, at, "signer"), at)


def _category(root: _Element) -> None:
    found = root.items("category")
    if len(found) != 1:
        raise _unsaid((*_ROOT, "category"))
    ((item, at),) = found
    if _coded(item, at) != (CATEGORY["system"], CATEGORY["code"]):
        raise _unsaid(at)


def _policy(root: _Element) -> bytes | None:
    """The hash of the terms that are agreed to, where one is named as we write it."""
    found = root.items("policy")
    if not found:
        return None
    if len(found) > 1:
        raise _unsaid((*_ROOT, "policy"))
    ((item, at),) = found
    part = _Element(item, at)
    matched = _HASH.fullmatch(part.text("uri"))
    part.done()
    if matched is None:
        raise _unsaid((*at, "uri"))
    return bytes.fromhex(matched[1][2:])


# ---- the provision


def _provision(
    part: _Element, subject: SubjectId, effect: Effect, terms_hash: bytes | None, language: Language
) -> ConsentInput:
    start, end = _period(part, "period")
    if any(moment is not None and moment.microsecond for moment in (start, end)):
        raise CallerError("whole seconds", field=(*part.at, "period"))
    data_from, data_to = _period(part, "dataPeriod")
    study = _study(part)
    purposes, uses = _purposes(part)
    records, authors = _data(part)
    read = ConsentInput(
        subject=subject,
        effect=effect,
        grantee=_grantee(part, effect),
        actions=_actions(part),
        purposes=purposes,
        resource_types=tuple(_code_of(one, at, {RESOURCE_TYPES}) for one, at in part.items("class")),
        codes=tuple(_system_and_code(one, at) for one, at in part.items("code")),
        authors=authors,
        records=records,
        labels=tuple(_code_of(one, at, {TERMINOLOGY + "v3-ActCode"}) for one, at in part.items("securityLabel")),
        data_from=data_from,
        data_to=data_to,
        data_use=uses,
        not_before=start,
        not_after=end,
        terms_hash=terms_hash,
        language=language,
        study=study,
    )
    part.done()
    return read


def _study(part: _Element) -> StudyId | None:
    """The study that it is for, as we write it: the one modifier that is understood."""
    found = part.items("modifierExtension")
    if not found:
        return None
    if len(found) > 1:
        raise _unsaid((*part.at, "modifierExtension"))
    ((item, at),) = found
    extension, where = _Element(item, at), (*at, "valueIdentifier")
    _only(extension, "url", {STUDY})
    system, text = _identifier_parts(extension.take("valueIdentifier"), where)
    extension.done()
    if system != STUDY:
        raise _unsaid(where)
    return StudyId(from_global("Study", text, field=where))


def _grantee(part: _Element, effect: Effect) -> ActorId:
    found = part.items("actor")
    if not found and effect is Effect.DENY:
        return ActorId(ANYONE)
    if len(found) != 1:
        raise _unsaid((*part.at, "actor"))
    ((item, at),) = found
    actor = _Element(item, at)
    _concept(actor, "role", TERMINOLOGY + "v3-ParticipationType", {"IRCP"})
    name = _name32(_reference(actor.take("reference"), (*at, "reference"), "actor"), (*at, "reference"))
    actor.done()
    return ActorId(name)


def _actions(part: _Element) -> tuple[Action, ...]:
    """Empty means every action there is in FHIR, which is more than reading and writing; and of ours each comes whole:
    whoever may collect may correct."""
    at = (*part.at, "action")
    codes = []
    for item, place in part.items("action"):
        system, code = _coded(item, place)
        if system != TERMINOLOGY + "consentaction" or not any(code in said for said in ACTIONS.values()):
            raise _unsaid(place)
        codes.append(code)
    said = tuple(Action(name) for name, needed in ACTIONS.items() if set(needed) <= set(codes))
    if not said or set(codes) != {code for action in said for code in ACTIONS[action.value]}:
        raise _unsaid(at)
    return tuple(sorted(said, key=lambda action: codes.index(ACTIONS[action.value][0])))


def _purposes(part: _Element) -> tuple[tuple[Purpose, ...], tuple[str, ...]]:
    purposes, uses = [], []
    for item, at in part.items("purpose"):
        system, code = _coding(item, at)
        if system == DUO:
            uses.append(code)
        elif system == TERMINOLOGY + "v3-ActReason" and code in set(Purpose):
            purposes.append(Purpose(code))
        else:
            raise _unsaid(at)
    if not purposes:
        raise _unsaid((*part.at, "purpose"))
    return tuple(purposes), tuple(uses)


def _data(part: _Element) -> tuple[tuple[RecordId, ...], tuple[ActorId, ...]]:
    records, authors = [], []
    for item, at in part.items("data"):
        one = _Element(item, at)
        where = (*at, "reference")
        if _only(one, "meaning", {"instance", "authoredby"}) == "instance":
            name = _reference(one.take("reference"), where, "record")
            records.append(RecordId(from_global("Record", name, field=where)))
        else:
            authors.append(ActorId(_name32(_reference(one.take("reference"), where, "actor"), where)))
        one.done()
    return tuple(records), tuple(authors)


def _period(part: _Element, name: str) -> tuple[datetime | None, datetime | None]:
    value = part.take(name)
    if value is None:
        return None, None
    period = _Element(value, (*part.at, name))
    bounds = [_moment(period, "start"), _moment(period, "end")]
    period.done()
    return bounds[0], bounds[1]


def _moment(period: _Element, name: str) -> datetime | None:
    """A day, or a year, is a moment of no certain length here: refused."""
    text = period.text(name)
    if not text:
        return None
    try:
        if _MOMENT.fullmatch(text):
            return parse_instant(text)
    except GraphQLError as error:
        raise CallerError("names no moment of the calendar", field=(*period.at, name)) from error
    raise CallerError("a time with seconds and a zone, of milliseconds at most", field=(*period.at, name))


# ---- data types


def _only(part: _Element, name: str, known: set[str] | frozenset[str]) -> str:
    value = part.text(name)
    if value not in known:
        raise _unsaid((*part.at, name))
    return value


def _coding(value: object, at: _At) -> tuple[str, str]:
    """(system or nothing, code). A display is the code in other words."""
    part = _Element(value, at)
    system, code = part.text("system"), part.text("code")
    part.text("display")
    part.done()
    if not code:
        raise _unsaid(at)
    return system, code


def _coded(value: object, at: _At) -> tuple[str, str]:
    """The one coding of a concept: of several, or of free text beside it, which is meant is not for us to say."""
    part = _Element(value, at)
    codings = part.items("coding")
    part.done()
    if len(codings) != 1:
        raise _unsaid(at)
    return _coding(*codings[0])


def _concept(part: _Element, name: str, system: str, known: set[str]) -> str:
    at = (*part.at, name)
    found, code = _coded(part.take(name), at)
    if found != system or code not in known:
        raise _unsaid(at)
    return code


def _code_of(value: object, at: _At, systems: set[str]) -> str:
    system, code = _coding(value, at)
    if system not in systems:
        raise _unsaid(at)
    return code


def _system_and_code(value: object, at: _At) -> str:
    system, code = _coded(value, at)
    if system:
        if "|" in system:  # our text would part it elsewhere
            raise _unsaid(at)
        return f"{system}|{code}"
    front, bar, back = code.partition("|")
    if front and bar and back:  # our text would read a system in it
        raise _unsaid(at)
    return code


def _identifier_parts(value: object, at: _At) -> tuple[str, str]:
    part = _Element(value, at)
    system, text = part.text("system"), part.text("value")
    part.done()
    return system, text


def _reference(value: object, at: _At, kind: str) -> str:
    """The value of an identifier of ours: what is served elsewhere is known to nobody here."""
    part = _Element(value, at)
    part.text("display")
    system, text = _identifier_parts(part.take("identifier"), (*at, "identifier"))
    part.done()
    if system != f"urn:consentry:{kind}" or not text:
        raise _unsaid((*at, "identifier"))
    return text


def _octets(text: str, at: _At) -> bytes:
    if not _OCTETS.fullmatch(text):
        raise _unsaid(at)
    return bytes.fromhex(text[2:])


def _name32(text: str, at: _At) -> bytes:
    raw = _octets(text, at)
    if len(raw) != 32:
        raise _unsaid(at)
    return raw


def _unsaid(at: _At) -> CallerError:
    return CallerError("our scope cannot say this: store the resource as a record, or draft the consent", field=at)
