"""Where anchoring keeps what it must not forget: tickets, batches, calls, events. The schema is here, no migration."""
