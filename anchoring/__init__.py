"""A log of 32-byte digests, anchored on an Ethereum-compatible chain. It knows no patient, no FHIR and no GraphQL."""
