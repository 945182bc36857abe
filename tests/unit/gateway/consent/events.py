"""Indexed events, as the registries emit them."""

from gateway.ports.rows import EventRow

HEAD = 100
CONFIRMATIONS = 3


def confirmed(event: EventRow) -> bool:
    return HEAD - event.block_number >= CONFIRMATIONS


def event(name: str, *keys: bytes, block: int = 10, orphaned: bool = False, **args: bytes | int) -> EventRow:
    return EventRow(
        contract="",
        name=name,
        keys=keys,
        args=args,
        block_number=block,
        block_hash=bytes(32),
        log_index=0,
        transaction=block.to_bytes(32, "big"),
        orphaned=orphaned,
    )
