"""Clinical data in CDISC ODM: read in both editions, written as 1.3.2, with who changed what, signatures and queries.

Pure: octets in, data out, and back; no clock, no I/O, no keys.
Source: https://www.cdisc.org/standards/data-exchange/odm (1.3.2 and 2.0), Dataset-XML 1.0.
"""
