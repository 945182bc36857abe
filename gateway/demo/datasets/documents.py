"""The GraphQL documents of a dataset's road, within the schema's published limits. Text only."""

_REFUSED = "... on Refusal { code message field }"
_ANCHOR = (
    "anchor { status proof { log leafEncoding leafValues path root chainId contract transactionHash blockNumber } }"
)
_PROGRESS = "id state edition progress failed"
_DATASET = f"""{_PROGRESS} title tables tombstones requester {{ id }} profile {{ name departures definition }}
    papers {{ number kind sha256 text {_ANCHOR} }} files {{ name table rows size sha256 path }}"""

REQUEST = f"""mutation Request($input: RequestDatasetInput!) {{
  requestDataset(input: $input) {{ __typename ... on Dataset {{ {_DATASET} }} {_REFUSED} }} }}"""

DRAFT_DECISION = f"""mutation DraftDecision($input: DatasetDecisionInput!) {{
  draftDatasetDecision(input: $input) {{ __typename ... on Draft {{ id typedData }} {_REFUSED} }} }}"""

DECIDE = f"""mutation Decide($input: SignedInput!) {{
  decideDataset(input: $input) {{ __typename ... on Dataset {{ {_PROGRESS} }} {_REFUSED} }} }}"""

OPEN = f"""mutation Open($dataset: ID!) {{
  openDataset(datasetId: $dataset) {{
    __typename ... on OpenedDataset {{ manifest wrappedKey gatewayHalf dataset {{ {_DATASET} }} }} {_REFUSED} }} }}"""

REPORT = f"""query Report($dataset: ID!) {{
  datasetReport(datasetId: $dataset) {{ __typename ... on DatasetReport {{ html }} {_REFUSED} }} }}"""

PROGRESS = f"query Progress($dataset: ID!) {{ dataset(id: $dataset) {{ {_PROGRESS} }} }}"

DATASET = f"query Dataset($dataset: ID!) {{ dataset(id: $dataset) {{ {_DATASET} }} }}"

USED = """query Used($patient: ID!, $after: String) {
  patient(id: $patient) { datasets(first: 100, after: $after) {
    edges { node { datasetId title state withdrawn requester { id } } } pageInfo { hasNextPage endCursor } } } }"""
