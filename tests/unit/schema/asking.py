"""The in-memory world's requests for consent: one, of the clinician, to the patient. Calls are in its log."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.consent.languages import Language
from gateway.consent.model import Action, ConsentInput, Effect, Purpose, Terms
from gateway.consent.requested import ConsentRequest, RequestInput, RequestPage, RequestState, RequestView, terms_of
from gateway.errors import DeniedError
from gateway.identity.model import Caller, Draft
from gateway.ids import ActorId, ConsentId, RequestId, SubjectId
from gateway.slices import Slice

REQUEST = RequestId(b"\x61" * 16)


def make_request(subject: SubjectId, asker: ActorId, consent: ConsentId) -> RequestView:
    terms = ConsentInput(
        subject=subject,
        effect=Effect.PERMIT,
        grantee=asker,
        actions=(Action.READ,),
        purposes=(Purpose.TREAT,),
        not_after=datetime(2100, 1, 1, tzinfo=UTC),
        **dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ()),
        **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
    )
    made = ConsentRequest(
        id=REQUEST,
        asker=asker,
        terms=terms,
        reason="For the follow-up of your surgery",
        salt=b"\x62" * 32,
        asked_at=1_800_000_000,
        expires_at=1_900_000_000,
    )
    return RequestView(request=made, state=RequestState.GRANTED, consent=consent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Behind `Services.consent_requests`. `calls`: the world's log."""

    calls: list[tuple[str, Caller | None]]
    received: list[object]
    view: RequestView
    patient: ActorId

    def _theirs(self, name: str, caller: Caller) -> RequestView:
        self.calls.append((name, caller))
        if caller.actor.id not in (self.patient, self.view.request.asker):
            raise DeniedError("not theirs")
        return self.view

    async def ask(self, caller: Caller, asked: RequestInput, /) -> RequestView:
        self.received.append(asked)
        return self._theirs("ask", caller)

    async def withdraw(self, caller: Caller, request: RequestId, /) -> RequestView:
        return self._theirs("withdraw", caller)

    async def decline(self, caller: Caller, request: RequestId, /) -> RequestView:
        return self._theirs("decline", caller)

    async def draft(self, caller: Caller, request: RequestId, /, *, language: Language) -> Draft:
        self._theirs("draft_requested", caller)
        return Draft(id=b"\x63" * 32, typed_data={"primaryType": "Consent"})

    async def sent(self, caller: Caller, part: Slice, /) -> RequestPage:
        self.received.append(part)
        return RequestPage(views=(("sent", self._theirs("sent", caller)),))

    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> RequestPage:
        self.received.append(part)
        return RequestPage(views=(("of-patient", self._theirs("requests_of_patient", caller)),))

    def terms(self, request: ConsentRequest, /) -> Terms:
        return terms_of(request, now=1_800_000_000)
