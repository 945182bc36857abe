"""De-identification: what of a patient's records may leave for research, and in which form.

Pure: resources and rows in, resources, rows and measures out; no clock, no I/O, no keys but those it is given.
"""
