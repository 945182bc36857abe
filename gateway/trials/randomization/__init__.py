"""Who gets which arm: lists that are drawn beforehand, committed to, and recomputed by anybody afterwards.

Pure: a seed and a scheme in, lists, commitments and faults out; no clock, no I/O, no randomness but the seed's.
"""
