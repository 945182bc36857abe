"""In what order acts of a study may stand, and what follows from each for those behind it. Pure.

    registered → protocol → enrolment opened → subjects enrolled, on a consent form → captured, assigned
    frozen: nothing of that until a thaw → locked, from frozen: results and signatures alone

True here: it holds what entries say that are there; where entries about subjects were erased, it holds what those leave
possible. It grows with subjects, sites, people and queries.
Not done here: what forms say (`forms`), roots of data (`data`), signatures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from anchoring.verifier.study.acts import Act
from anchoring.verifier.study.people import ANY, BREAKS_BLIND, CAPTURES, REVIEWS, Behalf, People
from anchoring.verifier.study.report import Flaw
from anchoring.verifier.verify import keccak256

NOTHING: Final = bytes(32)
DAY: Final = 86_400
SLACK: Final = 180
"""Seconds that clocks of replicas, and a draft's haste, may differ."""
Found = Iterator[tuple[Flaw, str] | Behalf]


@dataclass(slots=True, kw_only=True)
class Subject:
    site: str
    key: str
    withdrawn: bool = False
    assigned: bytes = b""
    place: "tuple[int, Act] | None" = None


class Order:
    """`noted`: planned, open, frozen or locked, as the entries have it; `at`: the latest time that an act names."""

    def __init__(self, study: bytes) -> None:
        self.study = study
        self._number = -1
        self.people = People()
        self.subjects: dict[bytes, Subject] = {}
        self.versions = {"protocol": 0, "define": 0, "terms": 0, "publish": 0}
        self.allocation: tuple[bytes, int] = (NOTHING, 0)
        self.opened_under = 0
        self.frozen = self.locked = False
        self.seq = 0
        self.past = 0
        self.at = 0
        self.erased = {"ENROLMENT": 0, "ASSIGNMENT": 0, "UNBLINDING": 0, "SIGNATURE": 0}
        self.assigned = self.unblinded = self.signed = 0
        self.following: dict[int, int] = {}
        self._passed = 0
        self._forms: set[str] = set()
        self._sites: set[str] = set()
        self._keys: dict[str, bytes] = {}
        self.withheld = False
        """Of some query the words are not there: it may be one that is answered later."""
        self._queries: dict[bytes, tuple[bytes, bool]] = {}

    def take(self, number: int, act: Act) -> Found:
        """What is wrong with an act in this place, and on whose behalf it must have been done."""
        self._number = number
        if act.study != self.study:
            yield Flaw.ORDER, "is of another study"
        if (number == 0) != (act.tag == "register"):
            yield Flaw.ORDER, "a study begins with its registration, and has one"
        if self.locked and act.tag not in ("publish", "sign"):
            yield Flaw.ORDER, f"{act.tag} behind the lock"
        if act.at < self.at - DAY - SLACK:
            yield Flaw.TIME, "names a time more than a day before an entry that it stands behind"
        self.at = max(self.at, act.at)
        yield from _TAKES[act.tag](self, act)

    def erase(self, kind: str) -> Iterator[tuple[Flaw, str]]:
        """An entry whose text is gone."""
        if kind in self.erased:
            self.erased[kind] += 1
        # The words of a query are withheld where the subject lets nothing be read, and all else stays.
        self.withheld |= kind == "QUERY"
        if not self.erased["ENROLMENT"] and kind not in ("RECRUITMENT", "QUERY"):
            yield Flaw.ORDER, "passes for erased where nobody's enrolment was"

    # ---- what comes before anybody

    def _register(self, act: Act) -> Found:
        self.people.sponsor, self.people.statistician = act.by, act.octets("statistician")
        if keccak256(act.by + act.salt) != self.study:
            yield Flaw.ORDER, "the study has not the name of its sponsor and salt"

    def _version(self, act: Act) -> Found:
        """The next number of a protocol, a definition, a consent form or results."""
        self.versions[act.tag] += 1
        if act.said["number"] != self.versions[act.tag]:
            yield Flaw.ORDER, f"{act.tag} {act.said['number']} in the place of {self.versions[act.tag]}"
            self.versions[act.tag] = act.said["number"]
        if act.tag in ("protocol", "publish"):
            yield from self._of_sponsor(act)
        else:
            yield from self._by(act, frozenset({"SPONSOR"}))
        if act.tag == "protocol" and (act.said["number"] == 1) != (not act.said["reason"]):
            yield Flaw.ORDER, "of an amendment, and of it alone, is said why"
        if act.tag == "terms":
            if act.said["terms"] in self._forms:
                yield Flaw.ORDER, "a consent form that was asked for before"
            self._forms.add(act.said["terms"])
        if act.tag == "publish" and not self.locked:
            yield Flaw.ORDER, "results before the lock"

    def _describe(self, act: Act) -> Found:
        yield from self._by(act, frozenset({"SPONSOR"}))

    def _site(self, act: Act) -> Found:
        self._sites.add(act.said["site"])
        yield from self._by(act, frozenset({"SPONSOR"}))

    def _delegate(self, act: Act) -> Found:
        said = act.said
        if unknown := set(said["sites"]) - self._sites:
            yield Flaw.ORDER, f"delegates at {sorted(unknown)[0][:64]}, which is no site yet"
        behalf = self.people.behalf(act.by, act.at, frozenset({"SPONSOR"}))
        if behalf is not None and said["role"] == "COORDINATOR" and said["sites"]:
            behalf = self.people.behalf(act.by, act.at, frozenset({"SPONSOR", "INVESTIGATOR"}), said["sites"])
        if behalf is not None:
            yield behalf
        self.people.delegate(act.octets("actor"), said["role"], said["sites"], said["until"])

    def _allocate(self, act: Act) -> Found:
        if act.by not in (self.people.sponsor, self.people.statistician):
            yield Flaw.AUTHORITY, "neither the sponsor's nor the statistician's"
        if self.allocation != (NOTHING, 0) or self.opened_under:
            yield Flaw.ORDER, "a list of arms behind another, or behind the opening of enrolment"
        self.allocation = act.octets("root"), act.said["size"]

    # ---- how far it is

    def _open(self, act: Act) -> Found:
        yield from self._of_sponsor(act)
        if self.opened_under:
            yield Flaw.ORDER, "enrolment is opened twice"
        if not self.versions["protocol"] or act.said["version"] != self.versions["protocol"]:
            yield Flaw.ORDER, "opens enrolment under another than the newest protocol"
        if act.octets("allocation") != self.allocation[0]:
            yield Flaw.ORDER, "opens enrolment with another list of arms than was committed to"
        self.opened_under = max(1, act.said["version"])

    def _moved(self, act: Act) -> int:
        """How many freezes and thaws the entries do not tell of."""
        missed = int(act.said["seq"]) - self.seq - 1
        self.past += max(0, missed)
        return missed

    def _freeze(self, act: Act) -> Found:
        yield from self._of_sponsor(act)
        missed = self._moved(act)
        if missed < 0 or (not missed and act.said["frozen"] == self.frozen):
            yield Flaw.ORDER, "a freeze or thaw of what stands so"
        self.frozen, self.seq = act.said["frozen"], act.said["seq"]

    def _lock(self, act: Act) -> Found:
        yield from self._of_sponsor(act)
        missed = self._moved(act)
        if missed < 0 or (not missed and not self.frozen) or not self.opened_under:
            yield Flaw.ORDER, "locks what was not open and then frozen"
        if act.said["assigned"] != self.assigned + self.erased["ASSIGNMENT"]:
            yield Flaw.DATA, f"locks {act.said['assigned']} assigned subjects, not as many as the entries assign"
        self.locked = True

    def _record(self, act: Act) -> Found:
        yield from self._by(act, frozenset({"SPONSOR"}))
        if not self.opened_under:
            yield Flaw.ORDER, "data before enrolment is open"

    # ---- subjects

    def _under_way(self) -> Found:
        if not self.opened_under or self.frozen:
            yield Flaw.ORDER, "while the study takes nothing"

    def _enrol(self, act: Act) -> Found:
        said, subject = act.said, act.octets("subject")
        yield from self._under_way()
        yield from self._by(act, CAPTURES, said["site"])
        if not self._forms:
            yield Flaw.ORDER, "enrols before there is a consent form"
        if said["site"] not in self._sites:
            yield Flaw.ORDER, "enrols at no site of the study"
        there = self.subjects.get(subject)
        if there is not None and (there.site, there.key) != (said["site"], said["key"]):
            yield Flaw.ORDER, "enrols a subject again, as somebody else or elsewhere"
        if self._keys.setdefault(said["key"], subject) != subject:
            yield Flaw.ORDER, "enrols under another subject's key"
        self.subjects[subject] = Subject(
            site=said["site"],
            key=said["key"],
            assigned=b"" if there is None else there.assigned,
            place=None if there is None else there.place,
        )

    def _reached(self, act: Act, roles: frozenset[str]) -> Found:
        """An act about a subject, by somebody at their site."""
        there = self.subjects.get(act.octets("subject"))
        if there is None:
            yield Flaw.ORDER, "is about nobody who was enrolled before"
        else:
            yield from self._by(act, roles, there.site)

    def _withdraw(self, act: Act) -> Found:
        there = self.subjects.get(act.octets("subject"))
        # Who signs and has no role is the patient, who ends their own part: whose hand that is, no entry tells.
        if there is None or self.people.knows(act.by):
            yield from self._reached(act, CAPTURES)
        if there is not None:
            if there.withdrawn:
                yield Flaw.ORDER, "withdraws a subject twice"
            there.withdrawn = True

    def _capture(self, act: Act) -> Found:
        yield from self._under_way()
        yield from self._reached(act, CAPTURES)
        there = self.subjects.get(act.octets("subject"))
        if there is not None and there.withdrawn:
            yield Flaw.ORDER, "captures behind the subject's withdrawal"
        if not act.said["definition"] or act.said["definition"] != self.versions["define"]:
            yield Flaw.ORDER, "captures by another than the newest definition"

    def _raise(self, act: Act) -> Found:
        yield from self._reached(act, CAPTURES if act.said["rule"] else REVIEWS)
        if act.octets("query") in self._queries:
            yield Flaw.ORDER, "raises a query twice"
        self._queries[act.octets("query")] = act.octets("subject"), True

    def _answer(self, act: Act) -> Found:
        yield from self._reached(act, CAPTURES if act.tag == "answer-query" else REVIEWS)
        is_known = act.octets("query") in self._queries or not self.withheld
        if is_known and self._queries.get(act.octets("query")) != (act.octets("subject"), True):
            yield Flaw.ORDER, "answers or closes no open query about the subject"
        if act.tag == "close-query":
            self._queries[act.octets("query")] = act.octets("subject"), False

    def _sign(self, act: Act) -> Found:
        self.signed += 1
        yield from self._reached(act, ANY)

    def _assign(self, act: Act) -> Found:
        said = act.said
        yield from self._under_way()
        yield from self._reached(act, CAPTURES)
        there = self.subjects.get(act.octets("subject"))
        if there is not None and there.place is not None and _is_place(there.place[1], act):
            there.assigned, there.place = act.octets("name"), (self._number, act)  # the registry had refused it there
            return
        self.assigned += 1
        if there is not None:
            if there.assigned or there.withdrawn:
                yield Flaw.ALLOCATION, "assigns who has an arm already, or has withdrawn"
            there.assigned, there.place = act.octets("name"), (self._number, act)
        due = self.following.get(said["stratum"], 0)
        # A place that nobody has is one that somebody had who was erased.
        self._passed += max(0, said["position"] - due)
        if said["position"] < due or self._passed > self.erased["ASSIGNMENT"]:
            yield Flaw.ALLOCATION, f"place {said['position']} of stratum {said['stratum']}, where {due} was next"
        self.following[said["stratum"]] = max(due, said["position"] + 1)

    def _unblind(self, act: Act) -> Found:
        self.unblinded += 1
        yield from self._reached(act, BREAKS_BLIND)
        there = self.subjects.get(act.octets("subject"))
        if there is not None and (not there.assigned or there.assigned != act.octets("name")):
            yield Flaw.ORDER, "unblinds who has no arm, or under another name than theirs"

    def _recruit(self, act: Act) -> Found:
        yield from self._by(act, frozenset({"SPONSOR"}))
        if not self.versions["protocol"]:
            yield Flaw.ORDER, "looks for subjects before there is a protocol"

    def _told(self, act: Act) -> Found:
        """The patient's own word, to whom nothing stands in the way."""
        return iter(())

    # ---- who

    def _of_sponsor(self, act: Act) -> Found:
        if act.by != self.people.sponsor:
            yield Flaw.AUTHORITY, "not the sponsor's own"

    def _by(self, act: Act, roles: frozenset[str], *sites: str) -> Found:
        behalf = self.people.behalf(act.by, act.at, roles, sites)
        if behalf is not None:
            yield behalf


def _is_place(one: Act, other: Act) -> bool:
    """Whether two assignments are to the same place, and its commitment."""
    return all(one.said[name] == other.said[name] for name in ("stratum", "position", "arm"))


_Take = Callable[[Any, Act], Found]
_TAKES: Final[dict[str, _Take]] = {
    "register": Order._register,
    **dict.fromkeys(("protocol", "define", "terms", "publish"), Order._version),
    "describe": Order._describe,
    "site": Order._site,
    "delegate": Order._delegate,
    "allocate": Order._allocate,
    "open": Order._open,
    "freeze": Order._freeze,
    "lock": Order._lock,
    "record-data": Order._record,
    "enrol": Order._enrol,
    "withdraw": Order._withdraw,
    "recruit": Order._recruit,
    "interest": Order._told,
    "capture": Order._capture,
    "raise-query": Order._raise,
    "answer-query": Order._answer,
    "close-query": Order._answer,
    "sign": Order._sign,
    "unblind": Order._unblind,
    "assign": Order._assign,
}
