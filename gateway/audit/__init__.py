"""What was decided and released, durable before the answer."""
