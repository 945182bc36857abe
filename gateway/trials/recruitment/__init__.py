"""Recruitment: what a study asks of its subjects, and what a patient's own records say to it.

Pure: criteria and one patient's resources in, verdicts and their reasons out; no clock, no I/O. Whoever calls has shown
that the patient wants to know.
"""
