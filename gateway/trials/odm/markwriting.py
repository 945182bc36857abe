"""What stands beside clinical data, as elements of ODM 1.3.2, and queries as those of ODM 2.0."""

from gateway.trials.definition.elements import ODM_2_0, Element, Kept, clark, split
from gateway.trials.odm.building import build, is_plain, later, ref, refuse, text, yes
from gateway.trials.odm.marks import Annotation, AuditRecord, Flag, Marks, Query, Signature


def marked(marks: Marks) -> list[Element | None]:
    """Raises CallerError for what ODM 1.3.2 cannot say."""
    return [
        None if marks.audit is None else _audit_record(marks.audit),
        None if marks.signature is None else _signature(marks.signature),
        *(_annotation(one) for one in marks.annotations),
        *(_query(one) for one in marks.queries),
    ]


def _audit_record(one: AuditRecord) -> Element:
    attributes = {
        "EditPoint": None if one.edit_point is None else one.edit_point.value,
        "UsedImputationMethod": None if one.imputed is None else yes(one.imputed),
    }
    children = [
        ref("UserRef", "UserOID", one.user),
        ref("LocationRef", "LocationOID", one.location),
        text("DateTimeStamp", one.at),
        text("ReasonForChange", one.reason),
        text("SourceID", one.source),
    ]
    return build("AuditRecord", attributes, children, kept=one.kept)


def _signature(one: Signature) -> Element:
    children = [
        ref("UserRef", "UserOID", one.user),
        ref("LocationRef", "LocationOID", one.location),
        ref("SignatureRef", "SignatureOID", one.definition),
        text("DateTimeStamp", one.at),
        text("CryptoBindingManifest", one.manifest),
    ]
    return build("Signature", {}, children, kept=one.kept)


def _annotation(one: Annotation) -> Element:
    if not is_plain(one.comment):
        raise refuse("has a comment in a language, or in several", "Annotation")
    comment = text("Comment", one.comment[0].text if one.comment else None)
    if comment is not None and one.by is not None:
        comment = Element(name=comment.name, attributes=(("SponsorOrSite", one.by),), content=comment.content)
    attributes = {
        "SeqNum": str(one.number),
        "TransactionType": None if one.transaction is None else one.transaction.value,
    }
    return build("Annotation", attributes, [comment, *(_flag(flag) for flag in one.flags)], kept=one.kept)


def _flag(one: Flag) -> Element:
    kinds = [("FlagValue", one.value, one.value_list), ("FlagType", one.type, one.type_list)]
    children = [
        Element(
            name=build(name, {}).name,
            attributes=() if codes is None else (("CodeListOID", codes),),
            content=(said,) if said else (),
        )
        for name, said, codes in kinds
        if said is not None
    ]
    return build("Flag", {}, children)


def _query(one: Query) -> Element:
    attributes = {
        "OID": one.oid,
        "Source": one.source,
        "Target": one.target,
        "Type": one.type,
        "State": one.state.value,
        "LastUpdateDatetime": one.updated_at,
        "Name": one.name,
    }
    value = Element(name=later("Value"), content=(one.text,) if one.text else ())
    return Element(
        name=later("Query"),
        attributes=(*((name, said) for name, said in attributes.items() if said is not None), *_own(one.kept)),
        content=(value, *(_later_record(record) for record in one.history), *one.kept.parts),
    )


def _later_record(one: AuditRecord) -> Element:
    """An AuditRecord of ODM 2.0, within a query."""
    attributes = {
        "EditPoint": None if one.edit_point is None else one.edit_point.value,
        "UsedMethod": None if one.imputed is None else yes(one.imputed),
    }
    said = {"DateTimeStamp": one.at, "ReasonForChange": one.reason, "SourceID": one.source}
    return Element(
        name=later("AuditRecord"),
        attributes=(*((name, value) for name, value in attributes.items() if value is not None), *_own(one.kept)),
        content=(
            Element(name=later("UserRef"), attributes=(("UserOID", one.user),)),
            Element(name=later("LocationRef"), attributes=(("LocationOID", one.location),)),
            *(
                Element(name=later(name), content=(value,) if value else ())
                for name, value in said.items()
                if value is not None
            ),
            *one.kept.parts,
        ),
    )


def _own(kept: Kept) -> tuple[tuple[str, str], ...]:
    """Attributes of ODM 2.0 have no prefix on an element of ODM 2.0."""
    own = clark(ODM_2_0, "")
    return tuple((split(name)[1] if name.startswith(own) else name, value) for name, value in kept.attributes)
