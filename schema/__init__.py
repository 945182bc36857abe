"""What a client may say: the GraphQL schema, its gates and its limits."""
