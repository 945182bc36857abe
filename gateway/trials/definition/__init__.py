"""What a study captures: its events, forms, groups and items, as CDISC ODM defines them.

Pure: octets and values in, definitions, findings and resources out; no clock, no I/O, no keys.
Source: https://www.cdisc.org/standards/data-exchange/odm (1.3.2 and 2.0).
"""
