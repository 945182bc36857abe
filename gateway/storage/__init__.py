"""Content-addressed storage: bytes in, a CID out, and the same bytes back or an error.

Blocks here are sealed already: this room sees no key, no patient and no plaintext.
"""
