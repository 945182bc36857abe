"""Documents: parsed, surveyed and validated once while they stay known.

True here: what is known holds no text of a client's own (no strings, no objects, so no resource), and no more than so
many of them are; a long document waits its turn, so that a heap of them cannot hold the loop. Trusted documents are an
operator's own, always known, and nobody adds to them. Nothing is executed here.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql import OperationType as Kind
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.errors import LimitError, SettingsError
from gateway.underway import Turns
from schema.errors import Fault, LimitFault, public_error
from schema.extents import extents
from schema.limits import Limits, Survey, check_variables, survey
from schema.plain import Selections

KNOWN_DOCUMENTS = 512
KNOWN_CHARACTERS = 8_192
SHORT_CHARACTERS = 1_024
VALIDATION_ERRORS = 10
RULES = cast(
    "tuple[type[ASTValidationRule], ...]",
    (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule),
)
UNTOLD = "not valid for the schema, which is not told here; it is published with the source"
UNKNOWN_IDENTIFIER = "PersistedQueryNotFound"
"""The word by which clients with automatic persisted queries know that they must send the document."""
TOO_MANY_TOKENS = ("Document contains more than", "Document is nested too deeply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a document, with the input types of its variables."""

    kind: Kind
    variables: Mapping[str, GraphQLInputType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that parsed, is within limits and is valid. `selections` None: a directive may change them."""

    document: DocumentNode
    survey: Survey
    operations: Mapping[str | None, Operation]
    selections: Selections | None


class RefusedRequest(Exception):
    """Found before execution. `errors` are public."""

    def __init__(self, errors: list[dict[str, Any]], *, well_formed: bool = True) -> None:
        super().__init__("request refused")
        self.errors = errors
        self.well_formed = well_formed

    @classmethod
    def of(cls, code: str, message: str, *, well_formed: bool = True) -> "RefusedRequest":
        return cls([Fault(code=code, message=message).public()], well_formed=well_formed)


class Documents:
    """Prepares documents for one schema and keeps those that may be kept."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: Limits,
        introspection: bool,
        trusted: Mapping[str, str] = MappingProxyType({}),
        trusted_only: bool = False,
        turns: Turns | None = None,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._introspection = introspection
        self._lists = extents(schema)
        self._known: OrderedDict[str, Prepared] = OrderedDict()
        self._turns = turns or Turns()
        self._trusted = trusted
        self._trusted_only = trusted_only
        self._prepared = {text: self._trust(name, text) for name, text in trusted.items()}

    def known(self) -> tuple[str, ...]:
        """The texts that are kept, the oldest use first."""
        return tuple(self._known)

    async def find(self, query: str | None, identifier: str | None) -> Prepared:
        """The document that a request sends, or names by a trusted one's identifier, or both. Raises RefusedRequest."""
        text = query if identifier is None else self._named(identifier, query)
        if text is None:
            raise RefusedRequest.of("INVALID", UNKNOWN_IDENTIFIER)
        trusted = self._prepared.get(text)
        if trusted is not None:
            return trusted
        if self._trusted_only:
            raise RefusedRequest.of("INVALID", "only documents of the gateway's own list are taken: send documentId")
        return await self.prepare(text)

    def _named(self, identifier: str, query: str | None) -> str | None:
        text = self._trusted.get(identifier)
        if query is None:
            return text
        sha256 = hashlib.sha256(query.encode(errors="surrogatepass")).hexdigest()
        if text not in (None, query) or (identifier.startswith("sha256:") and identifier != f"sha256:{sha256}"):
            raise RefusedRequest.of("INVALID", "query is not the document that documentId names")
        return query

    def _trust(self, name: str, text: str) -> Prepared:
        try:
            with _refusing():
                return self._check(text, parse(text, **self._limits.parse_options))
        except RefusedRequest as refused:
            said = "; ".join(str(error["message"]) for error in refused.errors)
            raise SettingsError(f"trusted document {name}: {said}") from refused

    async def prepare(self, query: str) -> Prepared:
        """The document of this text, known or made now. Raises RefusedRequest."""
        known = self._known.get(query)
        if known is not None:
            self._known.move_to_end(query)
            return known
        with _refusing():
            if len(query) <= SHORT_CHARACTERS:
                return self._keep(query, self._check(query, parse(query, **self._limits.parse_options)))
            # One long document at a time, with the loop free between its steps: a heap of them delays the others in
            # the heap, and nobody who sends what is known or short.
            async with self._turns.one():
                document = parse(query, **self._limits.parse_options)
            async with self._turns.one():
                return self._keep(query, self._check(query, document))

    def _check(self, query: str, document: DocumentNode) -> Prepared:
        found = self._survey(document)
        errors = validate(self._schema, document, RULES, max_errors=VALIDATION_ERRORS, hide_suggestions=True)
        if errors and not self._introspection:
            # What a document lacks would be named otherwise: arguments, fields of inputs, types.
            raise RefusedRequest.of("INVALID", UNTOLD)
        if errors:
            raise RefusedRequest([public_error(error, correlation_id="") for error in errors])
        return Prepared(
            document=document,
            survey=found,
            operations=self._operations(document),
            selections=None if "@" in query else Selections(),
        )

    def _keep(self, query: str, prepared: Prepared) -> Prepared:
        if not prepared.survey.holds_literals and len(query) <= KNOWN_CHARACTERS:
            self._known[query] = prepared
            if len(self._known) > KNOWN_DOCUMENTS:
                self._known.popitem(last=False)
        return prepared

    def _survey(self, document: DocumentNode, variables: Mapping[str, Any] | None = None) -> Survey:
        return survey(
            document,
            limits=self._limits,
            lists=self._lists,
            introspection=self._introspection,
            variables=variables,
        )

    def _operations(self, document: DocumentNode) -> dict[str | None, Operation]:
        found: dict[str | None, Operation] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                types = {
                    one.variable.name.value: cast("GraphQLInputType", type_from_ast(self._schema, one.type))
                    for one in node.variable_definitions or ()
                }
                name = node.name.value if node.name is not None else None
                found[name] = Operation(kind=node.operation, variables=types)
        return found

    def choose(self, prepared: Prepared, name: str | None, variables: Mapping[str, Any]) -> Operation:
        """The operation asked for, its variables within limits. Raises RefusedRequest."""
        if name is None and len(prepared.operations) != 1:
            raise RefusedRequest.of(
                "INVALID", "operationName must name one of the document's operations", well_formed=False
            )
        operation = prepared.operations.get(name) if name is not None else next(iter(prepared.operations.values()))
        if operation is None:
            raise RefusedRequest.of(
                "INVALID", "no operation of this document has that operationName", well_formed=False
            )
        try:
            check_variables(variables, types=operation.variables, limits=self._limits)
            if not prepared.survey.cost_is_certain:
                self._survey(prepared.document, variables)
        except LimitFault as fault:
            raise RefusedRequest.of("LIMIT", str(fault)) from fault
        return operation


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except LimitFault as fault:
        raise RefusedRequest.of("LIMIT", str(fault)) from fault
    except LimitError as error:
        raise RefusedRequest.of("LIMIT", error.message) from error
    except GraphQLError as error:
        raise RefusedRequest([_syntax_error(error)]) from error


def _syntax_error(error: GraphQLError) -> dict[str, Any]:
    shown = public_error(error, correlation_id="")
    if any(sign in error.message for sign in TOO_MANY_TOKENS):
        shown["extensions"] = {"code": "LIMIT"}
    return shown
