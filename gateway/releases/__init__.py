"""Releases of de-identified data: what a researcher asks for, and who is in it."""
