"""Consent forms, for anyone signed in: what is agreed to, in versions, by the hash that a patient signs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent.forms import FormInput, FormVersion
from gateway.consent.languages import Language
from gateway.errors import CallerError
from gateway.ids import FormId, from_global, to_global
from schema.context import Info, RequestContext
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.gates import actor_of, cursor, given, or_empty, outcome, page_size
from schema.identity import Actor, known_actor
from schema.relay import PageInfo
from schema.scalars import Hex, moment_of


@strawberry.input(description="A form's text in one language.")
class ConsentFormTextInput:
    language: Language = strawberry.field(description="In which the text is.")
    text: str = strawberry.field(description="Markdown or plain text, at most 50,000 characters.")


@strawberry.input(description="A new form, or the next version of one.")
class PublishConsentFormInput:
    form_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Of which it is the next version; without one the form is new."
    )
    organization_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="That publishes it; you yourself where there is none."
    )
    title: str = strawberry.field(description="At most 200 characters.")
    texts: list[ConsentFormTextInput] = strawberry.field(description="One a language.")


@strawberry.type(description="A form's text in one language.")
class ConsentFormText:
    language: Language = strawberry.field(description="In which the text is.")
    text: str = strawberry.field(description="Markdown or plain text.")


@strawberry.type(description="A version of a consent form, as it was published. It never changes.")
class ConsentForm:
    made: strawberry.Private[FormVersion]
    form_id: strawberry.ID = strawberry.field(description="The same of all versions.")
    version: int = strawberry.field(description="From 1 on.")
    title: str = strawberry.field(description="As published.")
    texts: list[ConsentFormText] = strawberry.field(description="One a language.")
    terms_hash: Hex = strawberry.field(description="SHA-256 of `document`: what a consent to it is signed with.")
    document: str = strawberry.field(description="The RFC 8785 text whose hash that is, to the octet.")
    published_at: datetime = strawberry.field(description="When it was published.")

    @resolved("The organization that published it.")
    async def publisher(self, info: Info) -> Actor:
        return await known_actor(info.context, self.made.publisher)


@strawberry.type(description="A version, and where it stands in the list.")
class ConsentFormEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: ConsentForm = strawberry.field(description="The version.")


@strawberry.type(description="Versions of consent forms, newest first.")
class ConsentFormConnection:
    edges: list[ConsentFormEdge] = strawberry.field(description="The versions of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


ConsentFormResult = Annotated[ConsentForm | Refusal, strawberry.union("ConsentFormResult")]


def to_form(made: FormVersion) -> ConsentForm:
    return ConsentForm(
        made=made,
        form_id=strawberry.ID(to_global("ConsentForm", made.form)),
        version=made.version,
        title=made.title,
        texts=[ConsentFormText(language=language, text=text) for language, text in made.texts.items()],
        terms_hash=Hex(made.hash),
        document=made.octets.decode(),
        published_at=moment_of(made.published_at),
    )


async def form_signed(context: RequestContext, terms_hash: bytes | None) -> ConsentForm | None:
    """Of a consent's hash; None where there is none, or of no form."""
    found = None if terms_hash is None else await context.services.forms.signed(terms_hash)
    return None if found is None else to_form(found)


async def form(context: RequestContext, id: strawberry.ID, version: int | None) -> ConsentForm | Refusal:
    async def steps() -> ConsentForm:
        caller, name = context.signed_in(), form_of(id, field="id")
        found = await context.services.forms.get(caller, name, version=given(version))
        if found is None:
            raise CallerError("no such form, or version", field=("id",))
        return to_form(found)

    return await outcome(steps())


async def forms_of(
    context: RequestContext,
    *,
    organization: strawberry.ID | None,
    form: strawberry.ID | None,
    first: int,
    after: str | None,
) -> ConsentFormConnection:
    async def steps() -> ConsentFormConnection:
        publisher, name = given(organization), given(form)
        found, more = await context.services.forms.page(
            context.signed_in(),
            publisher=None if publisher is None else actor_of(publisher, field="organizationId"),
            form=None if name is None else form_of(name, field="formId"),
            first=page_size(first),
            after=cursor(after),
        )
        edges = [ConsentFormEdge(cursor=place, node=to_form(made)) for place, made in found]
        end = edges[-1].cursor if edges else None
        return ConsentFormConnection(edges=edges, page_info=PageInfo(has_next_page=more, end_cursor=end))

    return await or_empty(steps(), ConsentFormConnection(edges=[], page_info=PageInfo(has_next_page=False)))


def form_of(text: strawberry.ID, *, field: str) -> FormId:
    return FormId(from_global("ConsentForm", text, field=(field,)))


def _texts(texts: Sequence[ConsentFormTextInput]) -> dict[Language, str]:
    found = {one.language: one.text for one in texts}
    if len(found) < len(texts):
        raise CallerError("a language is named twice", field=("texts",))
    return found


@strawberry.type
class FormQueries:
    """Looking them up."""

    @resolved("A version of a consent form, for anyone signed in: the newest, or that of a number.")
    async def consent_form(
        self, info: Info, id: strawberry.ID, version: int | None = strawberry.UNSET
    ) -> ConsentFormResult:
        return await form(info.context, id, version)

    @resolved("Versions of consent forms, newest first, for anyone signed in: of an organization, or of one form.")
    async def consent_forms(
        self,
        info: Info,
        organization_id: strawberry.ID | None = strawberry.UNSET,
        form_id: strawberry.ID | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
    ) -> ConsentFormConnection:
        return await forms_of(info.context, organization=organization_id, form=form_id, first=first, after=after)


@strawberry.type
class FormMutations:
    """Publishing."""

    @mutation("An organization's, or its data steward's. What was signed before stays what it was.")
    async def publish_consent_form(self, info: Info, input: PublishConsentFormInput) -> ConsentFormResult:
        async def steps() -> ConsentForm:
            caller, name, publisher = info.context.signed_in(), given(input.form_id), given(input.organization_id)
            asked = FormInput(
                form=None if name is None else form_of(name, field="formId"),
                publisher=None if publisher is None else actor_of(publisher, field="organizationId"),
                title=input.title,
                texts=_texts(input.texts),
            )
            return to_form(await info.context.services.forms.publish(caller, asked))

        return await outcome(steps())
