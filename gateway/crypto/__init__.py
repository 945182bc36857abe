"""Keys and sealing. Only the envelope and the keys touch primitives."""
