"""Erasure is key destruction: a patient's keys go, with a certificate on chain, and the audit stays."""
