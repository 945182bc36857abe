"""The database: SQLite (WAL, `synchronous=FULL`) or PostgreSQL, one schema, one set of statements.

Columns hold random names, digests, ciphertext and keyed tokens. Importing this package alone loads no driver.
"""
