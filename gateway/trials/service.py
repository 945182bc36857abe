"""Studies, from their registration to their results: acts are drafted, signed, allowed, and become entries.

True here: an act counts once its entry is durable. What ends something (a freeze) is an entry first and on chain next;
what begins something is on chain first, so a journal never tells of what the registry refused. Whatever is submitted
twice is success, and done once. Who has no part in a study is refused as if there were none, and audited.
Not done here: captured data (`capturing`), the list of arms (`allocation`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gateway import eip712
from gateway.consent.model import Grant, StudyRole
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.consent.studies import context_of
from gateway.errors import CallerError, ConflictError, DeniedError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import ActorId, ConsentId, StudyId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.anchors import Anchors
from gateway.ports.chain import Chain, Landed, Reverted
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.rows import CallRow, Guard
from gateway.ports.study_registry import TrialRegistries
from gateway.ports.trials import StudyEntryKind
from gateway.trials import acts, rules
from gateway.trials.allocation import Allocations
from gateway.trials.consenting import Consenting
from gateway.trials.documents import check_document
from gateway.trials.journal import MOST, Entry, Journal
from gateway.trials.keeping import TRIES, Held, Studies, action_of
from gateway.trials.kept import captures
from gateway.trials.leaving import Leaving
from gateway.trials.links import leaf_values
from gateway.trials.participants import Participants, reduced
from gateway.trials.randomization.commitments import Merkle
from gateway.trials.recruitment.criteria import read_criteria
from gateway.trials.recruitment.matching import screening
from gateway.trials.registration import declared
from gateway.trials.standing import Study

LANDING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDraft:
    """`act`: to be given back with the signature; `typed_data`: EIP-712 JSON, `id` its digest; `statement`: what is
    done, in plain words."""

    id: bytes
    act: Mapping[str, Any] = field(repr=False)
    typed_data: Mapping[str, Any] = field(repr=False)
    statement: str


class Trials:
    """See the module."""

    def __init__(
        self,
        *,
        studies: Studies,
        journal: Journal,
        registries: TrialRegistries,
        allocations: Allocations,
        leaving: Leaving,
        identity: Identity,
        standings: Standings,
        consenting: Consenting,
        index: Index,
        anchors: Anchors,
        chain: Chain,
        merkle: Merkle,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._studies = studies
        self._participants = Participants(index=index, standings=standings)
        self._journal = journal
        self._registries = registries
        self._allocations = allocations
        self._leaving = leaving
        self._identity = identity
        self._standings = standings
        self._consenting = consenting
        self._index = index
        self._anchors = anchors
        self._chain = chain
        self._merkle = merkle
        self._clock = clock
        self._entropy = entropy

    # ---- acts

    async def draft(self, caller: Caller, asked: Mapping[str, JsonValue]) -> ActDraft:
        """`asked`: an act by its members, without those that the gateway fills in (by, at, salt, numbers, roots).
        DeniedError, CallerError with the member, ConflictError."""
        caller = await self._identity.current(caller)
        salt = self._entropy.bytes(32)
        mine: dict[str, JsonValue] = {
            "by": caller.actor.id.hex(),
            "at": int(self._clock.now()),
            "salt": salt.hex(),
        }
        if asked.get("act") == "register":
            mine["study"] = self._registries.study_id(caller.actor.id, salt).hex()
            held = None
        else:
            held = await self._held(caller, asked.get("study"), "STUDY_DRAFT", of=asked.get("subject"))
            if asked.get("act") == "lock":
                await self._studies.compare(held)
            mine |= await self._filled(caller, held, asked)
        act = acts.read_act({**dict(asked), **mine})
        await self._require_allowed(caller, held, act)
        await self._check(caller, held, act)
        typed = self._typed(act)
        return ActDraft(
            id=eip712.digest(typed),
            act=acts.tree_of(act),
            typed_data=typed,
            statement=acts.statement(act, names={}),
        )

    async def submit(self, caller: Caller, tree: JsonValue, signature: bytes) -> Study:
        """A drafted act with its signature; the study as it stands then. The same again is success."""
        act = acts.read_act(tree)
        rules.check_whose(act, caller.actor.id)
        study = bytes.fromhex(act.study)
        done = acts.Done(act=act, signature=signature)
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            held = await self._studies.held(study)
            if held is not None and not await self._has_part(caller, held.study, act):
                raise await self._studies.refused(caller, action_of(act), "no role in the study")
            if held is not None and (entry := await self._entered(held, act)) is not None:
                if entry != done:
                    raise ConflictError("something else was done in its place", field=("act",))
                await self._follow(caller, held, act, signature)  # as far as it came
                return self._told(caller, await self._there(study))
            if held is not None and isinstance(act, acts.Lock):
                await self._studies.compare(held)
            await self._require_allowed(caller, held, act)
            guards = await self._check(caller, held, act)
            if not await self._identity.signed_by(caller.actor.key, eip712.digest(self._typed(act)), signature):
                raise CallerError("not signed by your key, or not this text", field=("signature",))
            call = self._call(act, signature)
            if call is not None and not isinstance(act, acts.Freeze):
                await self._relay(caller, held, act, call)
                held = await self._studies.held(study)  # the registry's event moved it
                guards = await self._check(caller, held, act)
            sponsor = caller.actor.id if held is None else held.study.sponsor
            if await self._studies.append(caller, held, (done,), sponsor=sponsor, guards=guards):
                now = await self._there(study)
                await self._follow(caller, now, act, signature)
                return self._told(caller, await self._there(study))
        raise UpstreamError("the study keeps changing; try again")

    async def record_data(self, caller: Caller, study: StudyId) -> Study:
        """A root over every entry that has none yet, on chain. The sponsor's; what has one already is success."""
        held = await self._held(caller, study.hex(), "STUDY_RECORD_DATA")
        actors = (caller.actor.id, *caller.organizations)
        if StudyRole.SPONSOR not in held.study.roles_of(actors, site=None, now=self._clock.now()):
            raise await self._studies.refused(caller, "STUDY_RECORD_DATA", "not the sponsor's")
        await self._record(caller, held)
        return (await self._there(study)).study

    async def get(self, caller: Caller, study: StudyId) -> Study | None:
        """To whoever has a part in it; to a patient who is a subject of it, what `Participants` shows them; None to all
        others."""
        caller = await self._identity.current(caller)
        held = await self._studies.held(study)
        if held is None:
            return None
        if self.roles(caller, held.study):
            return held.study
        return self._participants.shown(held.study, await self._participants.own(caller))

    async def mine(self, caller: Caller, *, after: bytes, limit: int) -> tuple[tuple[Study, ...], bytes | None]:
        """Studies that the caller has a part in, as `get` shows them, by name; and the name after which there may be
        more, None: none."""
        caller = await self._identity.current(caller)
        own = await self._participants.own(caller)
        found: list[Study] = []
        at = after
        while len(found) < limit:
            names = await self._index.studies(after=at, limit=MOST)
            for name in names:
                at = name
                held = await self._studies.held(name)
                if held is None:
                    continue
                mine = held.study if self.roles(caller, held.study) else self._participants.shown(held.study, own)
                if mine is not None:
                    found.append(mine)
                    if len(found) == limit:
                        return tuple(found), at
            if len(names) < MOST:
                return tuple(found), None
        return tuple(found), at

    def roles(self, caller: Caller, study: Study) -> frozenset[StudyRole]:
        """The caller's at this moment, at whichever sites."""
        return study.roles_of((caller.actor.id, *caller.organizations), site=None, now=self._clock.now())

    @property
    def contract(self) -> str:
        """TrialRegistry's address: who looks there needs nobody's word."""
        return self._registries.contract

    # ---- steps

    def _told(self, caller: Caller, held: Held) -> Study:
        """To whom it is answered what they did: a subject who withdrew has no role in it."""
        return held.study if self.roles(caller, held.study) else reduced(held.study)

    async def _held(self, caller: Caller, study: JsonValue, action: str, *, of: JsonValue = None) -> Held:
        """The study, for who has a part in it; `of`: a subject, who has one too."""
        if not isinstance(study, str):
            raise CallerError("the study's name", field=("act", "study"))
        rules.hexes(study, "study", (32,))
        held = await self._studies.held(bytes.fromhex(study))
        if held is None or not (self.roles(caller, held.study) or await self._is_own(caller, held.study, of)):
            raise await self._studies.refused(caller, action, "no such study, or no role in it")
        return held

    async def _there(self, study: bytes) -> Held:
        held = await self._studies.held(study)
        if held is None:
            raise UpstreamError("the index does not hold a study that was entered")
        return held

    async def _has_part(self, caller: Caller, study: Study, act: acts.Act) -> bool:
        return bool(self.roles(caller, study)) or (
            isinstance(act, acts.Withdraw) and await self._is_own(caller, study, act.subject)
        )

    async def _is_own(self, caller: Caller, study: Study, subject: JsonValue) -> bool:
        """Whether the subject is in the study, and the caller themself."""
        try:
            named = SubjectId(bytes.fromhex(subject)) if isinstance(subject, str) else None
        except ValueError:
            named = None
        if named is None or len(named) != len(acts.NOTHING) or caller.bearer is not None:
            return False
        return await self._standings.owns(requester(caller), named) and named in study.subjects

    async def _actor(self, caller: Caller, held: Held | None, act: acts.Act) -> rules.Actor:
        owns = (
            isinstance(act, acts.Withdraw) and held is not None and await self._is_own(caller, held.study, act.subject)
        )
        return rules.Actor(
            owns=owns,
            id=caller.actor.id,
            all=frozenset((caller.actor.id, *caller.organizations)),
            roles=caller.actor.roles,
            now=self._clock.now(),
        )

    async def _require_allowed(self, caller: Caller, held: Held | None, act: acts.Act) -> None:
        try:
            rules.check(None if held is None else held.study, act, await self._actor(caller, held, act))
        except DeniedError as error:
            subject = acts.subject_of(act)
            known = held is not None and subject is not None and subject in held.study.subjects
            raise await self._studies.refused(
                caller, action_of(act), error.reason, subject=subject if known else None
            ) from error

    async def _filled(self, caller: Caller, held: Held, asked: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """What an act says that follows from how the study stands."""
        study = held.study
        match asked.get("act"):
            case "protocol":
                return {"number": len(study.protocols) + 1}
            case "define":
                return {"number": len(study.definitions) + 1}
            case "terms":
                return {"number": len(study.terms) + 1}
            case "publish":
                return {"number": len(study.results) + 1}
            case "open":
                root = acts.NOTHING if study.allocation is None else study.allocation.root
                return {"version": len(study.protocols), "allocation": root.hex()}
            case "freeze":
                return {"seq": study.seq + 1}
            case "lock":
                return self._locking(study)
            case "allocate":
                return await self._allocations.drawn(caller, study, asked.get("scheme"))
            case "enrol":
                return {"consent": (await self._consent(caller, held, asked.get("subject"))).hex()}
            case "withdraw":
                return {"goes": await self._goes(caller, held, asked.get("subject"))}
            case "sign":
                return {"forms": await self._signed_forms(study, asked.get("subject"), asked.get("forms"))}
            case "unblind":
                return self._named(study, asked.get("subject"))
        return {}

    async def _signed_forms(self, study: Study, subject: JsonValue, asked: JsonValue) -> JsonValue:
        """`asked`: record and version of each; with them what binds a signature to just what they say."""
        if not isinstance(subject, str) or not isinstance(asked, list):
            raise CallerError("a subject's forms, by record and version", field=("act", "forms"))
        kept = await self._versions(study.study, _subject(subject))
        found: list[JsonValue] = []
        for at, one in enumerate(asked):
            record, version = (one.get("record"), one.get("version")) if isinstance(one, dict) else (None, None)
            named = isinstance(record, str) and isinstance(version, int)
            if not named:
                raise CallerError("a form, by record and version", field=("act", "forms", str(at)))
            # Refused only once it is known that the caller may hear of it.
            digest, content = kept.get((record, version), ("", ""))
            found.append({"record": record, "version": version, "digest": digest, "content": content})
        return found

    async def _versions(self, study: bytes, subject: SubjectId) -> dict[tuple[object, object], tuple[str, str]]:
        """Record and version -> digest and commitment."""
        return {
            (one.record.hex(), one.version): (one.digest.hex(), one.content.hex())
            async for one in captures(self._journal, study, subject)
        }

    def _named(self, study: Study, subject: JsonValue) -> dict[str, JsonValue]:
        assigned = study.assigned.get(_subject(subject))
        return {"name": (acts.NOTHING if assigned is None else assigned.name).hex()}

    def _locking(self, study: Study) -> dict[str, JsonValue]:
        chain = study.chain
        return {
            "head": self._head(study).hex(),
            "records": study.recorded,
            "assigned": 0 if chain is None else chain.assigned,
            "seq": study.seq + 1,
        }

    def _head(self, study: Study) -> bytes:
        head = acts.NOTHING
        for root, count in study.roots:
            head = self._registries.next_head(head, root, count)
        return head

    # ---- what only others know

    async def _check(self, caller: Caller, held: Held | None, act: acts.Act) -> tuple[Guard, ...]:
        """What takes more than the study's standing to judge, and what else the act then stands on."""
        match act:
            case acts.Register():
                if self._registries.study_id(bytes.fromhex(act.by), bytes.fromhex(act.salt)).hex() != act.study:
                    raise CallerError("not the name of this sponsor and salt", field=("act", "study"))
            case acts.Protocol():
                tree: Any = act.registration
                declared.read(tree, field=("act", "registration"))
            case acts.Define():
                await asyncio.to_thread(check_document, act)
            case acts.Terms():
                if await self._index.form_of_hash(bytes.fromhex(act.terms)) is None:
                    raise CallerError("no consent form that was published here", field=("act", "terms"))
            case acts.Delegate():
                if await self._identity.actor(ActorId(bytes.fromhex(act.actor))) is None:
                    raise CallerError("no actor of this gateway", field=("act", "actor"))
            case acts.Enrol() if held is not None:
                return await self._require_consent(caller, held, act)
            case acts.Withdraw() if held is not None:
                if act.goes != await self._goes(caller, held, act.subject):
                    raise ConflictError("the subject's terms are others; draft it again", field=("act", "goes"))
            case acts.Allocate() if held is not None:
                await self._allocations.check(held.study, act)
            case acts.Publish():
                for at, outcome in enumerate(act.outcomes):
                    told: Any = outcome
                    declared.read_outcome(told, field=("act", "outcomes", str(at)))
            case acts.Recruit():
                self._check_criteria(dict(act.criteria))
            case acts.Sign():
                kept = await self._versions(bytes.fromhex(act.study), SubjectId(bytes.fromhex(act.subject)))
                for at, one in enumerate(act.forms):
                    if kept.get((one.record, one.version)) != (one.digest, one.content):
                        raise CallerError("no such version of a form of the subject", field=("act", "forms", str(at)))
            case acts.Lock() if held is not None:
                await self._require_recorded(held, act)
        return ()

    def _check_criteria(self, criteria: JsonValue) -> None:
        """Raises CallerError for what could be asked of nobody's records."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        try:
            screening(read_criteria(criteria), today=today)
        except CallerError as error:
            raise CallerError(error.message, field=("act", *error.field)) from error

    async def _require_consent(self, caller: Caller, held: Held, act: acts.Enrol) -> tuple[Guard, ...]:
        """The signed consent of this subject, to this study, in the form that is asked for now. Who has withdrawn comes
        back by a consent that they gave since."""
        subject = SubjectId(bytes.fromhex(act.subject))
        found, guards = await self._consenting.of(caller, held.study, subject)
        there = held.study.subjects.get(subject)
        since = there.withdrawn_at if there is not None else 0
        before = there.consent if there is not None and since else b""
        given = {one.consent for one in found if one.consent != before and one.terms.not_before > since}
        if bytes.fromhex(act.consent) not in given:
            raise CallerError(
                "takes the subject's own consent to this study, in the form that is asked for now",
                field=("act", "consent"),
            )
        return guards

    async def _consent(self, caller: Caller, held: Held, subject: JsonValue) -> ConsentId:
        """The one that an enrolment would stand on; zeros where there is none, and the refusal comes later."""
        found, _ = await self._consenting.of(caller, held.study, _subject(subject))
        return max(found, key=lambda one: one.terms.not_before).consent if found else ConsentId(acts.NOTHING)

    async def _goes(self, caller: Caller, held: Held, subject: JsonValue) -> bool:
        """Whether what was collected goes: so say the terms of the consent that the subject signed last, and where they
        cannot be read, it stays."""
        study, named = held.study, _subject(subject)
        standing = await self._standings.of(named) if named in study.subjects else None
        signed = [
            one.terms
            for one in (() if standing is None else standing.grants)
            if type(one) is Grant and one.terms.scope.context == context_of(study.study) and one.confirmed
        ]
        newest = max(signed, key=lambda terms: terms.not_before, default=None)
        return newest is not None and newest.scope.terms_hash in {one.digest for one in study.terms if not one.keeps}

    async def _require_recorded(self, held: Held, act: acts.Lock) -> None:
        study, chain = held.study, held.study.chain
        expected = self._locking(study)
        if chain is None or chain.head != self._head(study) or chain.records != study.recorded:
            raise ConflictError("roots of data are not on chain yet; try again", field=("act", "head"))
        if any(getattr(act, name) != value for name, value in expected.items()):
            raise ConflictError("the study has moved on; draft it again", field=("act",))
        if chain.is_locked:
            return  # the chain took it as it is
        beside = await self._journal.read(
            study.study, after=study.recorded - 1, limit=1, kinds=(StudyEntryKind.CAPTURE,)
        )
        if beside:
            raise ConflictError("data were captured beside the roots on chain: thaw, and freeze again", field=("act",))

    # ---- the chain

    def _typed(self, act: acts.Act) -> dict[str, Any]:
        signed = acts.signed_values(act)
        if signed is not None:
            return dict(self._registries.typed_data(*signed))
        return dict(
            self._registries.act_data(
                {
                    "study": "0x" + act.study,
                    "statement": acts.statement(act, names={}),
                    "content": "0x" + acts.content_of(act).hex(),
                    "by": "0x" + act.by,
                    "at": act.at,
                }
            )
        )

    def _call(self, act: acts.Act, signature: bytes) -> CallRow | None:
        """What the relay sends; None for an act that no contract knows."""
        signed = acts.signed_values(act)
        if signed is None:
            return None
        _, values = signed
        study, registries = bytes.fromhex(act.study), self._registries
        given: Any = dict(values)
        match act:
            case acts.Register():
                return registries.open_study(**given, signature=signature)
            case acts.Protocol():
                return registries.record_protocol(**given, signature=signature)
            case acts.Allocate():
                return registries.commit_allocation(**given, signature=signature)
            case acts.Open():
                return registries.open_enrolment(**given, signature=signature)
            case acts.Freeze():
                return registries.set_frozen(**given, signature=signature)
            case acts.Lock():
                return registries.lock(**given, signature=signature)
            case acts.Publish():
                return registries.publish_results(**given, signature=signature)
            case acts.Sign():
                return registries.record_signature(
                    study=study,
                    content=given["content"],
                    meaning=acts.meaning_of(act),
                    signer=given["signer"],
                    signed_at=given["signedAt"],
                    signature=signature,
                )
            case acts.Unblind():
                return registries.record_unblinding(**given, signature=signature)
        raise AssertionError("an act that the registry checks is relayed")

    async def _relay(self, caller: Caller, held: Held | None, act: acts.Act, call: CallRow) -> None:
        """Intended durably, then on chain. ConflictError where the registry refuses."""
        await self._studies.intend(caller, act, call)
        self._chain.wake()
        await self._landed(call)

    async def _landed(self, call: CallRow) -> None:
        outcome = await self._chain.outcome(call.call, timeout=LANDING_SECONDS, confirmed=True)
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}")
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, submit it again")

    async def _entered(self, held: Held, act: acts.Act) -> acts.Done | None:
        """The entry that an act has become already, or what stands in its place."""
        study = held.study.study
        if not isinstance(act, acts.Sign):
            number = held.study.entered.get(act.salt)
            entries = () if number is None else await self._journal.read(study, after=number - 1, limit=1)
            return _of_salt(entries, act.salt)
        subject, kinds, after = SubjectId(bytes.fromhex(act.subject)), (StudyEntryKind.SIGNATURE,), -1
        while entries := await self._journal.read(study, after=after, limit=MOST, kinds=kinds, subject=subject):
            after = entries[-1].number
            if (found := _of_salt(entries, act.salt)) is not None:
                return found
        return None

    async def _follow(self, caller: Caller, held: Held, act: acts.Act, signature: bytes) -> None:
        """What an entry goes on to: a freeze to its data on chain, and then itself; a withdrawal whose terms say so to
        the end of what was collected."""
        if isinstance(act, acts.Withdraw) and act.goes:
            await self._leaving.destroy(held.study.study, SubjectId(bytes.fromhex(act.subject)))
        if not isinstance(act, acts.Freeze):
            return
        chain = held.study.chain
        if chain is not None and chain.seq >= act.seq:
            return
        if act.frozen and chain is not None and chain.is_open:
            await self._record(caller, held)
        call = self._call(act, signature)
        assert call is not None
        await self._relay(caller, held, act, call)

    async def _record(self, caller: Caller, held: Held) -> None:
        """A root over the leaves of all entries that have none. The recorder's call and the entry that tells of it are
        durable together; the entry itself is under the next root."""
        for _ in range(TRIES):
            await self._studies.compare(held)
            study, chain = held.study, held.study.chain
            if chain is None or not chain.is_open or chain.is_frozen or chain.is_locked:
                raise ConflictError("the registry takes no data of this study now", field=("study",))
            first = await self._unrecorded(study)
            leaves = await self._leaves(study.study, first)
            if not leaves:
                return
            root = self._merkle.grow(leaves).root
            act = acts.RecordData(
                study=study.study.hex(),
                by=caller.actor.id.hex(),
                at=int(self._clock.now()),
                salt=self._entropy.bytes(32).hex(),
                first=first,
                count=len(leaves),
                root=root.hex(),
            )
            call = self._registries.record_data(study=study.study, root=root, count=len(leaves))
            done = (acts.Done(act=act),)
            if await self._studies.append(caller, held, done, sponsor=study.sponsor, beside=(call,)):
                self._chain.wake()
                await self._landed(call)
                return
            held = await self._there(study.study)
        raise StaleError("the study keeps changing; try again")

    async def _unrecorded(self, study: Study) -> int:
        """The first entry under no root that the chain has or is about to have."""
        roots = list(study.roots)
        while roots:
            root, count = roots[-1]
            call = self._registries.record_data(study=study.study, root=root, count=count)
            if not isinstance(await self._chain.outcome(call.call, timeout=0.0, confirmed=False), Reverted):
                break
            roots.pop()
        return sum(count for _, count in roots)

    async def _leaves(self, study: bytes, first: int) -> list[bytes]:
        """Of entries from number `first` on, up to the last that is there."""
        leaves: list[bytes] = []
        after = first - 1
        while entries := await self._journal.read(study, after=after, limit=MOST):
            leaves += [
                self._anchors.leaf(leaf_values(study, one.number, one.entry, one.previous), kind="studies")
                for one in entries
            ]
            after = entries[-1].number
        return leaves


def _of_salt(entries: Sequence[Entry], salt: str) -> acts.Done | None:
    found = (acts.read_entry(one.octets) for one in entries if one.octets is not None)
    return next((one for one in found if one.act.salt == salt), None)


def _subject(asked: JsonValue) -> SubjectId:
    if not isinstance(asked, str):
        raise CallerError("the subject's name", field=("act", "subject"))
    rules.hexes(asked, "subject", (32,))
    return SubjectId(bytes.fromhex(asked))
