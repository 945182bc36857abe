"""The service: decides, seals, stores, answers. Clients reach it only through `schema` and `gateway.web`."""
