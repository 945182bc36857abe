"""A one-node Ethereum chain in a process of its own: py-evm's Prague rules, kept in one SQLite file.

It is a real chain, not a test double: it survives `kill -9` and restarts, checks signatures, nonces and gas as any
node does, and is spoken to by standard JSON-RPC on a loopback port. What it is not: a network. It has one node, no
peers, no reorganizations; who holds the file can roll it back.

The parent's side is `process`; nothing else of this package is imported outside the chain's own process, because
py-evm takes about a second to import.
"""
