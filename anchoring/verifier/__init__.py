"""Checks for third parties, in Python (`verify.py`) and JavaScript (`verify.mjs`). Each file stands alone: copy it."""
