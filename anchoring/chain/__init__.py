"""The chain as the rest of anchoring sees it. Every chain, the embedded one too, is spoken to by JSON-RPC over HTTP."""
