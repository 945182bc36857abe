"""What an operator runs beside a gateway or without one: verify, rebuild, and the files that third parties check."""
