"""settings -> adapters -> services: the only place that picks an implementation."""
