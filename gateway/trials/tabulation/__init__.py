"""Tables of a study in CDISC's forms, read and written: SAS transport files, Dataset-JSON, CSV, and their definitions.

Pure: octets and rows in, rows and octets out, as they come; no file is opened, no clock is read.
"""
