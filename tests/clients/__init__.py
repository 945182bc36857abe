"""The clients of schema/clients, against a running gateway."""
