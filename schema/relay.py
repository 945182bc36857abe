"""Relay's two shapes: a thing with an opaque id, and where a page ends. There is no total over what is hidden.

Source: GraphQL Global Object Identification; GraphQL Cursor Connections.
"""

import strawberry


@strawberry.interface(description="Relay: opaque global ids")
class Node:
    id: strawberry.ID


@strawberry.type(description="Where a page ends; never a total over what is hidden.")
class PageInfo:
    has_next_page: bool
    end_cursor: str | None = None
    has_previous_page: bool = False
    start_cursor: str | None = None
