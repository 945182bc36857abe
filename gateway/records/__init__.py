"""FHIR resources as sealed, anchored, consented records."""
