"""Which acts are allowed in a study as it stands: whose they are, in what order, in what form. Pure.

True here: what an act needs that a caller can mend is refused by its field; who has no part in the study is denied, as
if there were none. What a locked study still takes: results, signatures, and nothing else.
Not done here: signatures and consents (`service`), what a document says (`service` reads it), the chain's own checks.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import CallerError, ConflictError, DeniedError
from gateway.identity.model import Role
from gateway.trials import acts
from gateway.trials.standing import Study

CAPTURES: Final = frozenset({StudyRole.INVESTIGATOR, StudyRole.COORDINATOR})
"""Who enrols subjects and captures data, at their sites."""
REVIEWS: Final = frozenset({StudyRole.MONITOR, StudyRole.SPONSOR, StudyRole.STATISTICIAN, StudyRole.SAFETY_BOARD})
"""Who raises and closes queries."""
UNBLINDED: Final = frozenset({StudyRole.SAFETY_BOARD})
"""Who sees arms before the lock, beside the study's statistician."""
BLINDED: Final = frozenset({StudyRole.SPONSOR, StudyRole.INVESTIGATOR, StudyRole.COORDINATOR, StudyRole.MONITOR})
"""Who sees none before the lock, whatever else they are, but where the blind was broken for them."""
BREAKS_BLIND: Final = frozenset({StudyRole.INVESTIGATOR, StudyRole.SAFETY_BOARD})
"""Who may be told one subject's arm in an emergency."""
LONGEST_LINE: Final = 200
LONGEST_REASON: Final = 1_000
LONGEST_SUMMARY: Final = 50_000
MOST_SITES: Final = 2_000
MOST_FORMS: Final = 5_000
DAY: Final = 86_400
LATEST: Final = 253_402_300_799
"""The last second of 9999."""
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_NAME = re.compile(r"[\w.:/ -]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: the caller's own id, those that count as theirs (organizations), their roles here; `owns`: the subject
    of the act is the caller themself."""

    id: bytes
    all: frozenset[bytes]
    roles: frozenset[Role]
    now: float
    owns: bool = False


def check(study: Study | None, act: acts.Act, who: Actor) -> None:
    """Raises DeniedError, CallerError with the act's field, ConflictError where the study has moved on."""
    _check_form(act, who)
    if isinstance(act, acts.Register):
        if study is not None:
            raise ConflictError("there is such a study already", field=("act", "salt"))
        if Role.ORGANIZATION not in who.roles:
            raise DeniedError("no organization")
        line(act.title, "title")
        hexes(act.statistician, "statistician", (0, 32))
        return
    if study is None:
        raise DeniedError("no such study")
    rule = _RULES.get(type(act))
    if rule is None:
        raise CallerError("not an act that is signed", field=("act", "act"))
    if study.state is StudyState.LOCKED and not _is_taken_locked(study, act):
        _require_part(study, who)
        raise ConflictError("the study is locked", field=("act",))
    rule(study, act, who)


def check_whose(act: acts.Act, actor: bytes) -> None:
    """Raises CallerError for names that are none, and for another's act."""
    hexes(act.by, "by", (32,))
    hexes(act.study, "study", (32,))
    hexes(act.salt, "salt", (32,))
    subject = getattr(act, "subject", None)
    if subject is not None:
        hexes(subject, "subject", (32,))
    if bytes.fromhex(act.by) != actor:
        raise CallerError("another actor than who is signed in", field=("act", "by"))


def _check_form(act: acts.Act, who: Actor) -> None:
    check_whose(act, who.id)
    if not 0 <= who.now - act.at + 60 <= DAY:
        raise CallerError("not drafted within a day; draft it again", field=("act", "at"))


def _is_taken_locked(study: Study, act: acts.Act) -> bool:
    """The very lock too, where the chain has it and the journal not: it was cut short in between."""
    if isinstance(act, acts.Lock):
        return study.noted is not StudyState.LOCKED
    return isinstance(act, (acts.Publish, acts.Sign))


# ---- who


def _require_part(study: Study, who: Actor) -> None:
    if not study.roles_of(who.all, site=None, now=who.now):
        raise DeniedError("no role in the study")


def _require_sponsor(study: Study, who: Actor, *, itself: bool = False) -> None:
    _require_part(study, who)
    mine = study.roles_of(() if itself else who.all, site=None, now=who.now)
    if who.id != study.sponsor and StudyRole.SPONSOR not in mine:
        raise CallerError("the sponsor's to do", field=("act", "by"))


def require_at(study: Study, who: Actor, site: str, roles: frozenset[StudyRole], *, field: str) -> None:
    """One of the roles, at the site."""
    _require_part(study, who)
    if not study.roles_of(who.all, site=site, now=who.now) & roles:
        raise CallerError(f"takes a role of {', '.join(sorted(roles))} at the site", field=("act", field))


# ---- what


def _protocol(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who, itself=True)
    _require_next(act.number, len(study.protocols))
    if (act.number == 1) != (not act.reason):
        raise CallerError("of the second version on, and of it alone: why", field=("act", "reason"))
    if act.reason:
        text(act.reason, "reason", LONGEST_REASON)


def _define(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who)
    _require_next(act.number, len(study.definitions))
    line(act.name, "name")
    hexes(act.sha256, "sha256", (32,))


def _describe(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who)
    line(act.table, "table")


def _terms(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who)
    _require_next(act.number, len(study.terms))
    hexes(act.terms, "terms", (32,))
    if any(one.digest.hex() == act.terms for one in study.terms):
        raise CallerError("a version of the form that was asked for already", field=("act", "terms"))


def _site(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who)
    _name(act.site, "site")
    line(act.name, "name")
    if len(study.sites) >= MOST_SITES and act.site not in study.sites:
        raise CallerError(f"at most {MOST_SITES} sites", field=("act", "site"))


def _delegate(study: Study, act: Any, who: Actor) -> None:
    _require_part(study, who)
    hexes(act.actor, "actor", (32,))
    if len(act.sites) > MOST_SITES or len(set(act.sites)) != len(act.sites):
        raise CallerError(f"at most {MOST_SITES} sites, each once", field=("act", "sites"))
    for at, site in enumerate(act.sites):
        if site not in study.sites:
            raise CallerError("no site of the study", field=("act", "sites", str(at)))
    if not 0 <= act.until <= LATEST:
        raise CallerError("not between 1970 and 9999", field=("act", "until"))
    if act.role is StudyRole.INSPECTOR and act.until - act.at > 400 * DAY:
        raise CallerError("an inspection ends within 400 days", field=("act", "until"))
    _require_blind(study, act, who)
    mine = study.roles_of(who.all, site=None, now=who.now)
    if who.id == study.sponsor or StudyRole.SPONSOR in mine:
        return
    # An investigator hands on what is to be done at their own sites.
    if act.role is not StudyRole.COORDINATOR or not _investigates(study, who, act.sites):
        raise CallerError("the sponsor's, or an investigator's for their own sites' coordinators", field=("act", "by"))
    former = study.delegations.get((bytes.fromhex(act.actor), act.role))
    if former is not None and who.now < former.until and not _investigates(study, who, former.sites):
        raise CallerError("coordinates other sites, too: the sponsor's to change", field=("act", "actor"))


def _investigates(study: Study, who: Actor, sites: Collection[str]) -> bool:
    """Is an investigator at each of these; none: not said where."""
    return bool(sites) and all(
        StudyRole.INVESTIGATOR in study.roles_of(who.all, site=site, now=who.now) for site in sites
    )


def _require_blind(study: Study, act: Any, who: Actor) -> None:
    """Nobody becomes one of those who see arms and of those who must not."""
    actor = bytes.fromhex(act.actor)
    if act.until <= who.now or actor == study.sponsor == study.statistician:
        return
    has = study.roles_of((actor,), site=None, now=who.now)
    if (act.role in UNBLINDED and has & BLINDED) or (
        act.role in BLINDED and (has & UNBLINDED or actor == study.statistician)
    ):
        raise CallerError("who sees arms is none of those who treat, monitor or sponsor", field=("act", "role"))


def _enrol(study: Study, act: Any, who: Actor) -> None:
    _require_part(study, who)
    if act.site not in study.sites:
        raise CallerError("no site of the study", field=("act", "site"))
    require_at(study, who, act.site, CAPTURES, field="site")
    if study.state is not StudyState.OPEN:
        raise ConflictError("enrolment is not open", field=("act",))
    hexes(act.subject, "subject", (32,))
    hexes(act.consent, "consent", (32,))
    _name(act.key, "key")
    there = study.subjects.get(bytes.fromhex(act.subject))
    if there is not None and (there.key != act.key or there.site != act.site):
        raise ConflictError("enrolled already, as somebody else or elsewhere", field=("act", "subject"))
    if study.keys.get(act.key, bytes.fromhex(act.subject)) != bytes.fromhex(act.subject):
        raise ConflictError("the key is another subject's", field=("act", "key"))


def _withdraw(study: Study, act: Any, who: Actor) -> None:
    hexes(act.subject, "subject", (32,))
    own = study.subjects.get(bytes.fromhex(act.subject)) if who.owns else None
    there = own or _subject(study, act, who)
    if own is None:
        require_at(study, who, there.site, CAPTURES, field="subject")
    if there.withdrawn_at:
        raise ConflictError("withdrawn already", field=("act", "subject"))
    text(act.reason, "reason", LONGEST_REASON)


def _allocate(study: Study, act: Any, who: Actor) -> None:
    _require_part(study, who)
    if who.id not in (study.sponsor, study.statistician):
        raise CallerError("the sponsor's or the study's statistician's to do", field=("act", "by"))
    if study.allocation is not None:
        raise ConflictError("a list is committed to already", field=("act",))
    if study.was_open:
        raise ConflictError("enrolment is open already", field=("act",))
    hexes(act.root, "root", (32,))


def _open(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who, itself=True)
    if study.was_open:
        raise ConflictError("enrolment is open already", field=("act",))
    if not study.protocols or act.version != len(study.protocols):
        raise CallerError(f"the newest version, which is {len(study.protocols)}", field=("act", "version"))
    root = acts.NOTHING if study.allocation is None else study.allocation.root
    if act.allocation != root.hex():
        raise CallerError("another list than is committed to", field=("act", "allocation"))


def _freeze(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who, itself=True)
    if act.frozen == (study.state is StudyState.FROZEN):
        raise ConflictError("it stands so already", field=("act", "frozen"))
    _require_seq(study, act.seq)
    text(act.reason, "reason", LONGEST_REASON)


def _lock(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who, itself=True)
    if not study.was_open:
        raise ConflictError("enrolment was never open", field=("act",))
    if study.state not in (StudyState.FROZEN, StudyState.LOCKED):
        raise ConflictError("freeze the study first, so that nothing is captured beside the lock", field=("act",))
    _require_seq(study, act.seq)
    hexes(act.head, "head", (32,))


def _recruit(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who)
    if not study.protocols:
        raise ConflictError("a protocol comes first", field=("act",))
    text(act.summary, "summary", LONGEST_SUMMARY)


def _publish(study: Study, act: Any, who: Actor) -> None:
    _require_sponsor(study, who, itself=True)
    if study.state is not StudyState.LOCKED:
        raise ConflictError("results come after the lock", field=("act",))
    _require_next(act.number, len(study.results))
    text(act.summary, "summary", LONGEST_SUMMARY)


def _sign(study: Study, act: Any, who: Actor) -> None:
    _subject(study, act, who)
    if not act.forms or len(act.forms) > MOST_FORMS:
        raise CallerError(f"1 to {MOST_FORMS} forms", field=("act", "forms"))
    if not 0 <= act.meaning < 5:
        raise CallerError("0 to 4", field=("act", "meaning"))


def _unblind(study: Study, act: Any, who: Actor) -> None:
    there = _subject(study, act, who)
    require_at(study, who, there.site, BREAKS_BLIND, field="subject")
    assigned = study.assigned.get(there.subject)
    if assigned is None:
        raise ConflictError("nobody has assigned the subject", field=("act", "subject"))
    if act.name != assigned.name.hex():
        raise CallerError("another name than the subject's", field=("act", "name"))
    text(act.reason, "reason", LONGEST_REASON)


_RULES: Final[Mapping[type, Callable[[Study, Any, Actor], None]]] = {
    acts.Protocol: _protocol,
    acts.Define: _define,
    acts.Describe: _describe,
    acts.Terms: _terms,
    acts.Site: _site,
    acts.Delegate: _delegate,
    acts.Enrol: _enrol,
    acts.Withdraw: _withdraw,
    acts.Allocate: _allocate,
    acts.Open: _open,
    acts.Freeze: _freeze,
    acts.Lock: _lock,
    acts.Publish: _publish,
    acts.Sign: _sign,
    acts.Unblind: _unblind,
    acts.Recruit: _recruit,
}


# ---- forms of members


def _subject(study: Study, act: Any, who: Actor) -> Any:
    """An enrolled one, to whom one of the caller's roles reaches."""
    _require_part(study, who)
    hexes(act.subject, "subject", (32,))
    there = study.subjects.get(bytes.fromhex(act.subject))
    if there is None or not study.roles_of(who.all, site=there.site, now=who.now):
        raise DeniedError("no such subject, or at another's site")
    return there


def _require_next(number: int, so_far: int) -> None:
    if number != so_far + 1:
        raise ConflictError(f"the next number is {so_far + 1}", field=("act", "number"))


def _require_seq(study: Study, seq: int) -> None:
    if seq != study.seq + 1:
        raise ConflictError(f"the next is {study.seq + 1}; draft it again", field=("act", "seq"))


def hexes(value: str, member: str, sizes: tuple[int, ...]) -> None:
    if _HEX.fullmatch(value) is None or len(value) // 2 not in sizes:
        raise CallerError(f"hexadecimal, of {sizes[-1]} octets", field=("act", member))


def line(value: str, member: str, *, within: tuple[str, ...] = ("act",)) -> None:
    if not value.strip() or len(value) > LONGEST_LINE or not value.isprintable():
        raise CallerError(f"1 to {LONGEST_LINE} printable characters", field=(*within, member))


def text(value: str, member: str, most: int, *, within: tuple[str, ...] = ("act",)) -> None:
    if not value.strip() or len(value) > most or not all(one.isprintable() or one in "\n\t" for one in value):
        raise CallerError(f"1 to {most} printable characters, tabs and line ends", field=(*within, member))


def _name(value: str, member: str) -> None:
    line(value, member)
    if _NAME.fullmatch(value) is None or value != value.strip():
        raise CallerError("letters, digits and . : / - _ only", field=("act", member))
