"""Fault campaigns: a seeded plan of operations and faults against real processes, judged by the clients' own logs.

True here: an operation counts as acknowledged when a client heard so, whatever the server believes; one that ended in
doubt is decided by its retry under the same idempotency key, and by nothing else. Every fault is a real one (SIGKILL,
a full disk, a failing write); nothing of the product is imitated or reached into. Not done here: benchmarks.
"""
