"""What was promised and what was reported: a study's registration, its digest, and the comparison of outcomes.

Pure: octets of public registries in, typed registrations, digests and comparisons out; no clock, no I/O.
"""
