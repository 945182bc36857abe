"""Checks a file of a whole study, as `GET /studies/{id}/trail` gave it: nothing is missing, changed, or out of order.

    python -m anchoring.verifier.study FILE [--rpc URL] [--deployment KNOWN.json] [--json REPORT.json]

True here: nothing of this repository is used but `anchoring.verifier.verify`: copy the folder `anchoring/verifier`. It
needs Python 3.11 and pycryptodome. The file is read once, line by line; what is kept grows with entries, people and
forms, never with the values in them. Every fault is told, with the number of its entry; what nothing was compared with
is told, too.
Exit code 0: complete and unchanged, as far as it says; 1: faults; 2: not such a file, or the RPC gives no answer.
"""
