"""What schemathesis cannot know: our scalars (something lawful of each, something nearly so, and something else), and
that what is drawn names nobody and says nonsense, so that an error in an answer is as it must be.

Runs in schemathesis' own environment.
"""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

HEX = st.one_of(
    st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
    st.binary(max_size=80).map(lambda raw: "0x" + raw.hex()),
    st.sampled_from(["0x", "0xZZ", ""]),
)
TIME = st.one_of(st.datetimes().map(lambda one: one.isoformat() + "Z"), st.sampled_from(["2026", "", "now"]))

for name, text in {
    "Hex": HEX,
    "Address": st.text(max_size=45),
    "DateTime": TIME,
    "CID": st.text(max_size=60),
    "JSON": st.text(max_size=50),
    "FhirDecimal": st.decimals(allow_nan=False, allow_infinity=False).map(str),
}.items():
    schemathesis.graphql.scalar(name, text.map(nodes.String))

NEVER = ("UNAVAILABLE", "INTEGRITY")
"""Refusals that tell of a part of ours."""


@schemathesis.check
def answers_as_graphql_does(ctx: Any, response: Any, case: Any) -> None:
    """GraphQL over HTTP's form, below 500, and no error or refusal that tells of a part of ours."""
    assert response.status_code < 500, response.status_code
    answer = response.json()
    assert set(answer) <= {"data", "errors"}, set(answer)
    assert "data" in answer or answer["errors"], "neither data nor errors"
    assert all("code" in error["extensions"] for error in answer.get("errors", ())), "an error without a code"
    assert not any(f'"{code}"' in response.text for code in NEVER), response.text[:500]
