"""How much the whole check does of what a release does more of."""

import os

VERDICTS = int(os.environ.get("VERDICT_MUTANTS", "300"))
"""Mutants of each kind of signature and of paths, on which gateway, contract and verifier must agree (bar B12)."""
