"""Key stores as former programs made them."""

from tests.ports.databases import query


def of_the_first_form(url: str) -> None:
    """With one epoch key and one key of a domain."""
    at = "consentry_keys." if url.startswith("postgresql") else ""
    blob = "bytea" if at else "blob"
    if at:
        query(url, "create schema consentry_keys")
    query(
        url,
        f"create table {at}epoch_keys (present integer not null, epoch {blob} not null, wrapped {blob} not null,"
        " primary key (present), check (present = 1))",
    )
    query(
        url,
        f"create table {at}domain_keys (key_id {blob} not null, kind integer not null, name {blob} not null,"
        f" version integer not null, epoch {blob} not null, wrapped {blob} not null, primary key (key_id),"
        " unique (kind, name, version))",
    )
    octets = (lambda text: f"'\\x{text}'::bytea") if at else (lambda text: f"x'{text}'")
    query(url, f"insert into {at}epoch_keys values (1, {octets('65' * 16)}, {octets('45' * 40)})")
    query(
        url,
        f"insert into {at}domain_keys values"
        f" ({octets('6b' * 16)}, 1, {octets('73' * 32)}, 1, {octets('65' * 16)}, {octets('77' * 40)})",
    )
