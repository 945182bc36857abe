"""The in-memory world's consent form and its request for consent, of the clinician to the patient."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.consent.forms import FormInput, FormVersion, made
from gateway.consent.languages import Language
from gateway.consent.model import Action, ConsentInput, Effect, Purpose, Terms
from gateway.consent.requested import ConsentRequest, RequestInput, RequestPage, RequestState, RequestView, terms_of
from gateway.errors import DeniedError
from gateway.identity.model import Caller, Draft
from gateway.ids import ActorId, ConsentId, FormId, RequestId, SubjectId
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
    request = ConsentRequest(
        id=REQUEST,
        asker=asker,
        terms=terms,
        reason="For the follow-up of your surgery",
        salt=b"\x62" * 32,
        asked_at=1_800_000_000,
        expires_at=1_900_000_000,
    )
    return RequestView(request=request, state=RequestState.GRANTED, consent=consent)


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


FORM = made(
    FormInput(form=None, publisher=None, title="Follow-up", texts={Language.EN: "# What you agree to"}),
    form=FormId(b"\x64" * 16),
    version=1,
    publisher=ActorId(b"\x03" * 32),
    previous=b"",
    now=1_800_000_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Behind `Services.forms`: one form. `calls`: the world's log."""

    calls: list[tuple[str, Caller | None]]
    received: list[object]

    async def publish(self, caller: Caller, asked: FormInput, /) -> FormVersion:
        self.calls.append(("publish", caller))
        self.received.append(asked)
        return FORM

    async def get(self, caller: Caller, form: FormId, /, *, version: int | None) -> FormVersion | None:
        self.calls.append(("get_form", caller))
        return FORM if (form, version) in ((FORM.form, None), (FORM.form, 1)) else None

    async def signed(self, hash: bytes, /) -> FormVersion | None:
        return FORM if hash == FORM.hash else None

    async def page(
        self, caller: Caller, *, publisher: ActorId | None, form: FormId | None, first: int, after: str | None
    ) -> tuple[tuple[tuple[str, FormVersion], ...], bool]:
        self.calls.append(("forms", caller))
        self.received.append((publisher, form))
        return (("form", FORM),), False
