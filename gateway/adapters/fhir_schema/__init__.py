"""FHIR R4, as HL7 publishes it and as we check it: the files of the schema, and the two stages that use them.

Imported by the validator's worker process alone; loading it costs a tenth of a second. NOTICE.md says where the files
come from and under which licence.
"""

WORKER_MODULE = "gateway.adapters.fhir_schema.worker"
"""What the validator runs as a process."""
