"""Who at an identity provider stands for an actor: linked by the actor's key, listed and ended by the actor."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.identity import model
from gateway.ids import from_global, to_global
from schema.context import Info, RequestContext
from schema.drafts import Draft, DraftResult, to_draft, typed_data_of
from schema.errors import Refusal
from schema.fields import mutation
from schema.gates import or_empty, outcome
from schema.scalars import Hex, Json, moment_of


@strawberry.type(description="Somebody at an identity provider whose tokens read and write records as you.")
class LinkedIdentity:
    id: strawberry.ID
    issuer: str
    subject: str = strawberry.field(description="As the issuer calls them. Empty with issuer where it does not open.")
    not_after: datetime
    holds: bool = strawberry.field(description="Signed by your present key, and not over.")


@strawberry.input(description="token: an access token that the issuer gave this subject, in hand at the link.")
class SignedIdentityInput:
    typed_data: Json
    signature: Hex
    token: str


LinkedIdentityResult = Annotated[LinkedIdentity | Refusal, strawberry.union("LinkedIdentityResult")]


async def identities_of(context: RequestContext) -> list[LinkedIdentity]:
    async def steps() -> list[LinkedIdentity]:
        return [_shown(one) for one in await context.services.identities.linked(context.signed_in())]

    return await or_empty(steps(), [])


def _shown(one: model.LinkedIdentity) -> LinkedIdentity:
    return LinkedIdentity(
        id=strawberry.ID(to_global("Identity", one.name)),
        issuer=one.issuer,
        subject=one.subject,
        not_after=moment_of(one.not_after),
        holds=one.holds,
    )


@strawberry.type
class IdentityMutations:
    @mutation(
        "Your own key's: whom an identity provider's token names may read and write records as you, within the token's "
        "scopes, for a year. Sign `typedData`, submit with the token."
    )
    async def draft_identity_link(self, info: Info, token: str) -> DraftResult:
        context = info.context

        async def steps() -> Draft:
            return to_draft(await context.services.identities.draft_link(context.signed_in(), token=token))

        return await outcome(steps())

    @mutation("Returns when it counts.")
    async def link_identity(self, info: Info, input: SignedIdentityInput) -> LinkedIdentityResult:
        context = info.context

        async def steps() -> LinkedIdentity:
            made = await context.services.identities.link(
                context.signed_in(), typed_data=typed_data_of(input), signature=input.signature, token=input.token
            )
            return _shown(made)

        return await outcome(steps())

    @mutation("One of your own. In force when it returns: none of its tokens is good any more.")
    async def unlink_identity(self, info: Info, identity_id: strawberry.ID) -> LinkedIdentityResult:
        context = info.context

        async def steps() -> LinkedIdentity:
            name = from_global("Identity", identity_id, field=("identityId",))
            return _shown(await context.services.identities.unlink(context.signed_in(), name))

        return await outcome(steps())
