"""The queries, word for word: the first two are asked of both servers."""

_RECORD = """id version resourceType labels recordedAt content contentSalt cid anchor { status }
    receipt { decisionId consentId purpose asOfBlock decidedAt obligations payload signer signature }"""

READ = f"""query Read($id: ID!) {{
  record(id: $id, purpose: TREAT) {{ __typename
    ... on Record {{ {_RECORD} }}
    ... on Refusal {{ code message }} }} }}"""

PAGE = f"""query Page($patient: ID!, $first: Int!) {{
  patient(id: $patient) {{ records(purpose: TREAT, first: $first) {{
    edges {{ cursor node {{ {_RECORD} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""

FILTERED = PAGE.replace("first: $first)", 'first: $first, filter: {resourceTypes: ["Observation"]})')

PAGE_SIZE = 50
