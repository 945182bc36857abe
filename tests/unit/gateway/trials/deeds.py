"""Acts of a study as somebody draws them: one of every kind, and a study to do them in."""

from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from gateway.consent.model import StudyRole, StudyState
from gateway.identity.model import Role
from gateway.jsontext import MAX_SAFE_INTEGER
from gateway.ports.study_registry import StudyOnChain
from gateway.trials import acts, rules
from gateway.trials.standing import Allocation, Assigned, Delegation, Enrolled, Study, Version

NOW = 1_800_000_000
STUDY, SALT, SUBJECT, OTHER = b"\x51" * 32, b"\x5a" * 32, b"\x0b" * 32, b"\x0c" * 32
SPONSOR, INVESTIGATOR, COORDINATOR, MONITOR = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32
ELSEWHERE, STRANGER, STATISTICIAN, BOARD = b"\x05" * 32, b"\x06" * 32, b"\x07" * 32, b"\x08" * 32
ROOT = b"\xa7" * 32

_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_whole = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
_leaf = st.none() | st.booleans() | _whole | _text
_members = st.dictionaries(_text, st.recursive(_leaf, lambda one: st.lists(one, max_size=3), max_leaves=6), max_size=3)
_PLAINLY: dict[Any, st.SearchStrategy[Any]] = {
    str: _text,
    int: _whole,
    bool: st.booleans(),
    type(None): st.none(),
    dict[str, Any]: _members,
    StudyRole: st.sampled_from(StudyRole),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of an act's member, or acts of a kind: whatever JSON and RFC 8785 give back as it was."""
    if kind in _PLAINLY:
        return _PLAINLY[kind]
    if get_origin(kind) is list:
        return st.lists(any_of(get_args(kind)[0]), max_size=3)
    if get_origin(kind) in (UnionType, Union):
        return st.one_of(*map(any_of, get_args(kind)))
    return st.builds(kind, **{name: any_of(one) for name, one in get_type_hints(kind).items()})


def chain(**changed: Any) -> StudyOnChain:
    plain: dict[str, Any] = {
        "sponsor": SPONSOR,
        "statistician": STATISTICIAN,
        "allocation": ROOT,
        "size": 20,
        "assigned": 1,
        "is_open": True,
        "is_frozen": False,
        "is_locked": False,
        "head": bytes(32),
        "records": 0,
        "versions": 1,
        "results": 0,
        "seq": 0,
    }
    return StudyOnChain(**{**plain, **changed})


def study(*, state: StudyState = StudyState.OPEN, was_open: bool = True, **changed: Any) -> Study:
    """With two sites, one subject at the first, and everybody."""
    people = (
        (INVESTIGATOR, StudyRole.INVESTIGATOR, {"701"}),
        (COORDINATOR, StudyRole.COORDINATOR, {"701"}),
        (MONITOR, StudyRole.MONITOR, {"701"}),
        (ELSEWHERE, StudyRole.INVESTIGATOR, {"702"}),
        (BOARD, StudyRole.SAFETY_BOARD, set()),
    )
    found = Study(
        study=STUDY,
        sponsor=SPONSOR,
        salt=SALT,
        statistician=STATISTICIAN,
        protocols=[Version(number=1, digest=b"\x11" * 32, entry=1, at=NOW)],
        terms=[Version(number=1, digest=b"\x22" * 32, entry=2, at=NOW, keeps=True)],
        sites={"701": "City", "702": "Country"},
        delegations={
            (actor, role): Delegation(actor=actor, role=role, sites=frozenset(sites), until=NOW + 1_000, by=SPONSOR)
            for actor, role, sites in people
        },
        subjects={SUBJECT: Enrolled(subject=SUBJECT, key="1001", site="701", consent=b"\x0d" * 32, entry=9, at=NOW)},
        keys={"1001": SUBJECT},
        allocation=Allocation(root=ROOT, size=20, entry=3),
        assigned={SUBJECT: Assigned(name=b"\x0e" * 32, stratum=0, position=0, arm=b"\x0f" * 32, entry=10)},
        noted=state,
        was_open=was_open,
        chain=chain(is_open=was_open, is_frozen=state is StudyState.FROZEN, is_locked=state is StudyState.LOCKED),
    )
    for name, value in changed.items():
        setattr(found, name, value)
    return found


def who(actor: bytes, *, roles: frozenset[Role] = frozenset({Role.CLINICIAN})) -> rules.Actor:
    return rules.Actor(id=actor, all=frozenset({actor}), roles=roles, now=NOW)


def drawn(kind: type, by: bytes = SPONSOR, **members: Any) -> Any:
    """An act that is allowed in `study()`, with other members where they are given."""
    plain = {**_PLAIN.get(kind, {}), **members}
    return kind(**{"study": STUDY.hex(), "by": by.hex(), "at": NOW, "salt": SALT.hex(), **plain})


_PLAIN: dict[type, dict[str, Any]] = {
    acts.Register: {"title": "Pilot"},
    acts.Protocol: {"number": 2, "registration": {"title": "x"}, "reason": "More."},
    acts.Define: {"number": 1, "name": "a.xml", "sha256": "00" * 32, "document": ""},
    acts.Describe: {"table": "DM", "description": {}},
    acts.Terms: {"number": 2, "terms": "33" * 32, "keeps": False},
    acts.Site: {"site": "703", "name": "Third"},
    acts.Delegate: {"actor": STRANGER.hex(), "role": StudyRole.MONITOR, "sites": ["701"], "until": NOW + 10},
    acts.Enrol: {"subject": OTHER.hex(), "key": "1002", "site": "701", "consent": "0d" * 32},
    acts.Withdraw: {"subject": SUBJECT.hex(), "reason": "Moved.", "goes": False},
    acts.Allocate: {"scheme": {}, "root": ROOT.hex(), "size": 20, "seed": ""},
    acts.Open: {"version": 1, "allocation": ROOT.hex()},
    acts.Freeze: {"frozen": True, "seq": 1, "reason": "Clean."},
    acts.Lock: {"head": "00" * 32, "records": 0, "assigned": 1, "seq": 1},
    acts.Publish: {"number": 1, "outcomes": [], "summary": "Done."},
    acts.Sign: {"subject": SUBJECT.hex(), "meaning": 0, "forms": [acts.SignedForm("0a" * 16, 1, "", "")]},
    acts.Recruit: {"criteria": {}, "summary": "Sugar.", "open": True},
    acts.Unblind: {"subject": SUBJECT.hex(), "name": "0e" * 32, "reason": "Fever."},
}
