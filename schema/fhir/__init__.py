"""FHIR R4 in GraphQL: a type for each resource that HL7's definitions are shown of, read from what was released.

`types.json` is made from the definitions (`gateway.adapters.fhir_schema.outline`) and never edited. Names follow HL7's
GraphQL page (https://hl7.org/fhir/R4/graphql.html): elements as they are called, `value[x]` as `valueQuantity`,
extensions of a primitive under `_name`; types carry the prefix `Fhir`, because several of their names are ours.
"""
