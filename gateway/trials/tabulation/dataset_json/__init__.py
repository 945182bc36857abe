"""CDISC Dataset-JSON 1.1: one dataset a file, as JSON, as NDJSON and packed (DSJC), in and out.

Not done here: Dataset-JSON 1.0 (its file holds several datasets under `clinicalData`), which is refused.
Sources: CDISC Dataset-JSON 1.1 specification (2024-12-05); CDISC Compressed Dataset-JSON 1.1 (2025-06-19).
"""

from gateway.trials.tabulation.dataset_json.reader import read_dsjc, read_json, read_ndjson
from gateway.trials.tabulation.dataset_json.writer import write_dsjc, write_json, write_ndjson

__all__ = ["read_dsjc", "read_json", "read_ndjson", "write_dsjc", "write_json", "write_ndjson"]
