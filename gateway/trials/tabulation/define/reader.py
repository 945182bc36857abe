"""A Define-XML document, read.

True here: what a study is loaded by is read and checked, one part after the other; two parts of one OID, a type
that Define-XML does not have, and a reference that leads nowhere and is needed are refused by OID; other references
that lead nowhere are told in `dangling`, and what is passed by in `unread`.
Sources: CDISC Define-XML 2.0, section 5.3; 2.1, section 5.3.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from gateway.trials.tabulation.define import parts
from gateway.trials.tabulation.define.markup import Element, parse
from gateway.trials.tabulation.define.model import Definition, Standard
from gateway.trials.tabulation.define.reading import Reading
from gateway.trials.tabulation.places import fault

_VERSION: Final = re.compile(r"2\.[01](\.[0-9]+)?")
_OID: Final = "OID"
_TOLD: Final = frozenset({_OID, "Name", "def:DefineVersion", "def:StandardName", "def:StandardVersion"})
Part = TypeVar("Part")


def read_define(octets: Iterable[bytes], *, file: str) -> Definition:
    """The definition in a `define.xml`. `file`: its name in refusals. Raises CallerError with file and OID, LimitError
    beyond the bounds of `markup`."""
    reading = Reading(file)
    root = parse(octets, file=file)
    if root.name != "ODM":
        raise fault("is no Define-XML: its root is not ODM 1.3", file=file)
    study = reading.only(root, "Study")
    told = reading.only(study, "GlobalVariables")
    version = reading.only(study, "MetaDataVersion")
    number = version.attributes.get("def:DefineVersion", "")
    if not _VERSION.fullmatch(number):
        raise fault("is no Define-XML of version 2.0 or 2.1", file=file)
    reading.pass_by(root, {"Study"}, {"FileOID", "CreationDateTime", "FileType", "ODMVersion"})
    reading.pass_by(study, {"GlobalVariables", "MetaDataVersion"}, {_OID})
    reading.pass_by(
        version, parts.NAMES, {_OID, "Name", "def:DefineVersion", "def:StandardName", "def:StandardVersion"}
    )

    def all_of(name: str, make: Callable[[Element, Reading], Part], key: str = _OID) -> dict[str, Part]:
        return _named(version, name, make, reading, key)

    made = Definition(
        version=number,
        file_oid=reading.need(root, "FileOID"),
        created=reading.need(root, "CreationDateTime"),
        study_oid=reading.need(study, _OID),
        study_name=reading.said(told, "StudyName"),
        study_description=reading.said(told, "StudyDescription"),
        protocol_name=reading.said(told, "ProtocolName"),
        oid=reading.need(version, _OID),
        name=reading.need(version, "Name"),
        datasets=all_of("ItemGroupDef", parts.dataset),
        items=all_of("ItemDef", parts.item),
        code_lists=all_of("CodeList", parts.code_list),
        value_lists=all_of("def:ValueListDef", parts.value_list),
        where_clauses=all_of("def:WhereClauseDef", parts.where_clause),
        methods=all_of("MethodDef", parts.method),
        comments=all_of("def:CommentDef", parts.comment),
        standards=_standards(version, reading),
        documents=all_of("def:leaf", parts.document, "ID"),
        unread=reading.unread(),
    )
    return replace(made, dangling=_dangling(made, file))


def _named(
    version: Element, name: str, make: Callable[[Element, Reading], Part], reading: Reading, key: str
) -> dict[str, Part]:
    made: dict[str, Part] = {}
    for one in version.children:
        if one.name == name:
            oid = reading.need(one, key)
            if oid in made:
                raise fault("is defined twice", file=reading.file, variable=oid)
            made[oid] = make(one, reading)
    return made


def _standards(version: Element, reading: Reading) -> dict[str, Standard]:
    """Of 2.1 a list; of 2.0 the one that the version names."""
    listed = [one for part in version.children if part.name == "def:Standards" for one in part.children]
    made = {one.oid: one for one in (parts.standard(one, reading) for one in listed)}
    name = version.attributes.get("def:StandardName")
    if name is not None:
        number = version.attributes.get("def:StandardVersion", "")
        made[name] = Standard(oid=name, name=name, type=None, version=number)
    return made


def _dangling(made: Definition, file: str) -> tuple[str, ...]:
    """What refers to what is not there, where a study can be loaded without it. Raises CallerError for a dataset or a
    value list that refers to no item, and for an item that refers to no code list: without those it cannot."""
    found: list[str] = []

    def lead(oid: str, targets: Iterable[str | None], known: Mapping[str, object], *, needed: bool = False) -> None:
        for target in targets:
            if target is not None and target not in known:
                if needed:
                    raise fault(f"refers to {target[:200]}, which is not defined", file=file, variable=oid)
                found.append(f"{oid} -> {target}")

    for oid, uses in [*((one.oid, one.uses) for one in made.datasets.values()), *made.value_lists.items()]:
        lead(oid, (one.item for one in uses), made.items, needed=True)
        lead(oid, (one.method for one in uses), made.methods)
        lead(oid, (where for one in uses for where in one.where), made.where_clauses)
    for item in made.items.values():
        lead(item.oid, [item.code_list], made.code_lists, needed=True)
        lead(item.oid, [item.value_list], made.value_lists)
    standing = [(one.oid, one.standard) for one in made.datasets.values()]
    standing += [(one.oid, one.standard) for one in made.code_lists.values()]
    for oid, standard in standing:
        lead(oid, [standard], made.standards)
    commented = [(one.oid, one.comment) for one in made.datasets.values()]
    commented += [(one.oid, one.comment) for one in made.items.values()]
    commented += [(one.oid, one.comment) for one in made.code_lists.values()]
    for oid, comment in commented:
        lead(oid, [comment], made.comments)
    for oid, checks in made.where_clauses.items():
        lead(oid, (one.item for one in checks), made.items)
    return tuple(dict.fromkeys(found))
