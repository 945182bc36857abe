"""What may be drafted, what may be signed, and what a patient reads before signing."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import eip712
from gateway.consent import messages, rules
from gateway.consent.languages import WORDS, Language
from gateway.consent.model import ANYONE, NO_END, Action, ConsentInput, Effect, Purpose, Terms
from gateway.consent.policy import bounds
from gateway.errors import CallerError
from gateway.ids import ActorId, RecordId, from_global, parse_global, to_global
from tests.unit.gateway.consent.cases import DOCTOR, NOW, PATIENT, STUDY, permit, scope

DOMAIN = eip712.domain(chain_id=31_337, contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
SALT = b"\x55" * 32


def wanted(**changes: Any) -> ConsentInput:
    plain: dict[str, Any] = {
        "subject": PATIENT,
        "effect": Effect.PERMIT,
        "grantee": DOCTOR,
        "actions": (Action.READ,),
        "purposes": (Purpose.TREAT,),
        "resource_types": (),
        "codes": (),
        "authors": (),
        "records": (),
        "labels": (),
        "data_from": None,
        "data_to": None,
        "data_use": (),
        "not_before": None,
        "not_after": datetime(2030, 1, 1, tzinfo=UTC),
        "terms_hash": None,
    }
    return ConsentInput(**{**plain, **changes})


def draft(name: str | None = "Dr Ada", **changes: Any) -> Terms:
    return rules.draft_terms(wanted(**changes), epoch=3, now=NOW, salt=SALT, grantee_name=name)


def text(name: str | None = "Dr Ada", **changes: Any) -> str:
    return draft(name, **changes).scope.statement


def test_a_draft_is_read_back_as_it_was() -> None:
    terms = draft(labels=("HIV",), codes=("a|1",), records=(RecordId(b"r" * 16),))
    assert messages.read_consent(messages.consent_typed_data(terms, DOMAIN), DOMAIN) == terms


def test_a_deny_without_an_end_is_read_back_as_it_was() -> None:
    terms = draft(None, effect=Effect.DENY, grantee=ANYONE, not_after=None)
    assert terms.not_after == NO_END
    assert messages.read_consent(messages.consent_typed_data(terms, DOMAIN), DOMAIN) == terms


def test_a_draft_begins_now_unless_told() -> None:
    assert draft().not_before == NOW


def test_what_is_named_twice_is_signed_once() -> None:
    assert draft(labels=("HIV", "PSY", "HIV")).scope.labels == ("HIV", "PSY")


def test_times_are_signed_in_utc() -> None:
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert draft(data_from=there).scope.data_from == "2026-01-01T06:30:00Z"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"not_after": None}, "notAfter"),
        ({"not_after": datetime(2020, 1, 1, tzinfo=UTC)}, "notAfter"),
        ({"not_before": datetime(1969, 1, 1, tzinfo=UTC)}, "notBefore"),
        ({"actions": ()}, "actions"),
        ({"purposes": ()}, "purposes"),
        ({"grantee": ANYONE}, "granteeId"),
        ({"labels": ("",)}, "labels"),
        ({"labels": ("a\nb",)}, "labels"),
        ({"labels": ("\u202egnp",)}, "labels"),
        ({"codes": ("\ud800",)}, "codes"),
        ({"codes": ("x" * 513,)}, "codes"),
        ({"resource_types": ("x",) * 257}, "resourceTypes"),
        ({"authors": (DOCTOR,) * 257}, "authorIds"),
        ({"records": (RecordId(b"r" * 16),) * 257}, "recordIds"),
        ({"data_from": datetime(2026, 1, 2, tzinfo=UTC), "data_to": datetime(2026, 1, 1, tzinfo=UTC)}, "dataTo"),
        ({"data_from": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "dataFrom"),
        ({"data_to": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))}, "dataTo"),
        ({"study": STUDY}, "purposes"),
        ({"study": STUDY, "purposes": (Purpose.CLINTRCH, Purpose.TREAT)}, "purposes"),
        ({"study": STUDY, "purposes": (Purpose.HRESCH,), "effect": Effect.DENY}, "purposes"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_by_the_name_of_its_field(changes: Any, field: str) -> None:
    with pytest.raises(CallerError) as refused:
        draft(**changes)
    assert refused.value.field == (field,)


@pytest.mark.parametrize("effect", Effect, ids=lambda effect: effect.name)
def test_a_draft_for_a_study_names_it_and_says_so(effect: Effect) -> None:
    terms = draft(study=STUDY, purposes=(Purpose.CLINTRCH,), effect=effect)
    assert terms.scope.context == "study:" + STUDY.hex()
    assert "study:" + STUDY.hex() in terms.scope.statement
    assert messages.read_consent(messages.consent_typed_data(terms, DOMAIN), DOMAIN) == terms
    assert draft(purposes=(Purpose.CLINTRCH,), effect=effect).scope.context == ""


@pytest.mark.parametrize("context", ["visit 7", "study:1", "study:" + "5D" * 32])
def test_a_context_of_another_form_is_no_new_consent_and_one_of_before_is_still_read(context: str) -> None:
    terms = permit(context=context, purposes=("CLINTRCH",)).terms
    with pytest.raises(CallerError) as refused:
        rules.check_context(terms)
    assert refused.value.field == ("context",)
    assert messages.read_consent(messages.consent_typed_data(terms, DOMAIN), DOMAIN) == terms


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01 00:00:00Z",
        "2026-W01-1T00:00:00Z",
        "20260101T000000Z",
        "2026-01-01T00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00Z\n",
        "٢٠٢٦-01-01T00:00:00Z",
        "now",
    ],
)
def test_a_time_has_one_form(time: str) -> None:
    with pytest.raises(CallerError):
        rules.check_terms(replace(permit().terms, scope=scope(data_from=time)))


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_drafted_time_reads_back_to_its_millisecond(moment: datetime) -> None:
    start, _ = bounds(draft(data_from=moment).scope)
    assert start == moment.replace(microsecond=moment.microsecond // 1000 * 1000).timestamp()


def test_open_sides_of_a_period_are_endless() -> None:
    assert bounds(scope()) == (float("-inf"), float("inf"))


def test_a_statement_says_it_all() -> None:
    said = text(
        actions=(Action.READ, Action.WRITE),
        purposes=(Purpose.TREAT, Purpose.CLINTRCH),
        resource_types=("Observation",),
        codes=("http://snomed.info/sct|44054006",),
        authors=(ActorId(b"\xab" * 32),),
        records=(RecordId(b"\xcd" * 16),),
        labels=("HIV",),
        data_from=datetime(2026, 1, 1, tzinfo=UTC),
        data_use=("DUO:0000042",),
        terms_hash=b"\xef" * 32,
    )
    assert said == (
        'I allow "Dr Ada" (0x11111111…) to read and add to and amend my records for treatment, a clinical trial.'
        " Only these kinds: Observation. Only these codes: http://snomed.info/sct|44054006."
        " Only what these wrote: 0xabababab…. Only these records: 0xcdcdcdcd…. For these uses of data: DUO:0000042."
        " Sensitive records included: HIV. About care from 2026-01-01T00:00:00Z to today and later."
        f" Under the terms 0x{'ef' * 32}. Valid from 2027-01-15T08:00:00Z to 2030-01-01T00:00:00Z."
    )


def test_a_statement_of_a_deny_says_it_all() -> None:
    assert text(None, effect=Effect.DENY, grantee=ANYONE, not_after=None, labels=("PSY",)) == (
        "I forbid anyone to read my records for treatment. Only records marked: PSY."
        " Valid from 2027-01-15T08:00:00Z until I revoke it."
    )


def test_a_permit_without_labels_says_that_sensitive_records_stay_out() -> None:
    assert "No sensitive records." in text()


@pytest.mark.parametrize("words", ['B" (0x1). I allow "C', "B. No sensitive records. I allow anyone", "B, C"])
def test_no_name_and_no_code_passes_for_a_sentence(words: str) -> None:
    assert words not in text(words).replace(rules.statement(draft(words), words).split(" (0x")[0], "")
    quoted = text(codes=(words,)).split("Only these codes: ")[1]
    assert quoted.startswith('"')


def test_one_code_with_a_comma_is_not_told_as_two() -> None:
    assert text(codes=("a, b",)) != text(codes=("a", "b"))


def test_a_context_is_told() -> None:
    terms = replace(draft(), scope=replace(draft().scope, context="study:1"))
    assert 'In this context: "study:1".' in rules.statement(terms, "Dr Ada")


EVERYTHING: dict[str, Any] = {
    "actions": (Action.READ, Action.WRITE),
    "purposes": tuple(Purpose),
    "resource_types": ("Observation",),
    "codes": ("http://snomed.info/sct|44054006",),
    "authors": (ActorId(b"\xab" * 32),),
    "records": (RecordId(b"\xcd" * 16),),
    "labels": ("HIV",),
    "data_from": datetime(2026, 1, 1, tzinfo=UTC),
    "data_use": ("DUO:0000042",),
    "terms_hash": b"\xef" * 32,
}


@pytest.mark.parametrize("language", Language)
def test_each_language_says_it_all(language: Language) -> None:
    for effect in Effect:
        said = text(**EVERYTHING, language=language, effect=effect)
        for part in ('"Dr Ada" (0x11111111…)', "Observation", "44054006", "0xabababab…", "0xcdcdcdcd…", "DUO:0000042",
                     "HIV", "2026-01-01T00:00:00Z", "ef" * 32, "2027-01-15T08:00:00Z"):  # fmt: skip
            assert part in said
        assert "{" not in said
        purposes = WORDS[language].purposes
        assert all(purposes[purpose] in said for purpose in Purpose)
        assert len(set(purposes.values())) == len(Purpose)


@pytest.mark.parametrize("language", Language)
def test_a_permit_and_a_deny_and_each_action_read_otherwise(language: Language) -> None:
    said = {
        text(effect=effect, actions=actions, language=language)
        for effect in Effect
        for actions in ((Action.READ,), (Action.WRITE,), (Action.READ, Action.WRITE))
    }
    assert len(said) == 6


def test_no_statement_is_that_of_other_terms_in_another_language() -> None:
    """What is checked against all languages must be no looser than what is checked against one."""
    changes: list[dict[str, Any]] = [
        {},
        {"effect": Effect.DENY},
        {"actions": (Action.WRITE,)},
        {"purposes": (Purpose.HRESCH,)},
        {"labels": ("HIV",)},
        {"resource_types": ("Observation",)},
        {"codes": ("Observation",)},
        {"not_after": datetime(2031, 1, 1, tzinfo=UTC)},
    ]
    said = [text(**change, language=language) for change in changes for language in Language]
    assert len(set(said)) == len(said)


def test_a_statement_stands_in_any_one_language_and_in_no_mixture() -> None:
    for language in Language:
        assert rules.says_what_it_does(draft(language=language), "Dr Ada")
        assert not rules.says_what_it_does(draft(language=language), "Dr Eve")
    english, german = (draft(language=one).scope.statement for one in (Language.EN, Language.DE))
    mixed = ". ".join([english.split(". ")[0], *german.split(". ")[1:]])
    terms = draft()
    assert not rules.says_what_it_does(replace(terms, scope=replace(terms.scope, statement=mixed)), "Dr Ada")
    assert not rules.says_what_it_does(replace(terms, scope=replace(terms.scope, statement="")), "Dr Ada")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("words", ['B" (0x1). I allow "C', "{who}", "{0}", "%s"])
def test_no_name_is_read_as_a_pattern(language: Language, words: str) -> None:
    assert json.dumps(words, ensure_ascii=False) in text(words, language=language)


def test_the_same_terms_say_the_same() -> None:
    assert text() == text()


@given(st.sampled_from(["Record", "Patient", "Actor", "Consent", "Decision"]), st.binary(min_size=32, max_size=32))
def test_a_global_id_reads_back(kind: str, raw: bytes) -> None:
    raw = raw[: 16 if kind in ("Record", "Decision") else 32]
    assert parse_global(to_global(kind, raw)) == (kind, raw)


def spare_bits(name: str) -> str:
    """The same octets to base64, by another last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return name[:-1] + alphabet[alphabet.index(name[-1]) + 1]


NAME = to_global("Patient", b"\xff" * 32)


@pytest.mark.parametrize(
    "other",
    [NAME + "=", NAME + "==", spare_bits(NAME), NAME.replace("_", "/"), NAME + "\n", " " + NAME, NAME[:-1], "", "é"],
)
def test_a_global_id_has_one_text(other: str) -> None:
    with pytest.raises(CallerError):
        parse_global(other)


def test_an_id_of_another_kind_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(CallerError) as refused:
        from_global("Record", NAME, field=("recordId",))
    assert refused.value.field == ("recordId",)
