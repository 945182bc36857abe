"""HTTP and sockets: bounds, shapes and headers. Nothing here knows the schema, a patient or a decision."""
