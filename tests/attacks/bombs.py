"""Documents and bodies that stop stock GraphQL servers, by name: what doubles, nests, repeats or is long.

Nothing here is sent: `test_document_bombs` sends them through the front door, bar B10 (`tests.campaigns.holding`) over
the network.
"""

import orjson

from gateway.ids import to_global
from tests.unit.schema.services import PATIENT

ID = to_global("Patient", PATIENT)
MIB = 1024 * 1024


def doubling(levels: int, inside: str = "__typename") -> str:
    chain = "".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }} " for i in range(levels))
    return "{ ...F0 } " + chain + f"fragment F{levels} on Query {{ {inside} }}"


def doubling_fields(levels: int) -> str:
    chain = "".join(
        f"fragment F{i} on Actor {{ a: organizations {{ ...F{i + 1} }} b: organizations {{ ...F{i + 1} }} }} "
        for i in range(levels)
    )
    return "{ viewer { ...F0 } } " + chain + f"fragment F{levels} on Actor {{ id }}"


def pages(levels: int, first: int = 100) -> str:
    text = "id"
    for _ in range(levels):
        text = f"patient {{ records(first: {first}) {{ edges {{ node {{ {text} }} }} }} }}"
    return f'{{ record(id: "x") {{ ... on Record {{ {text} }} }} }}'


def introspection(levels: int) -> str:
    text = "name"
    for _ in range(levels):
        text = f"fields {{ type {{ {text} }} }}"
    return f"{{ __schema {{ types {{ {text} }} }} }}"


VIEWERS = " viewer { id }" * 9


def many(count: int, template: str, between: str = " ") -> str:
    """The template `count` times, `#` standing for the number."""
    return between.join(template.replace("#", str(number)) for number in range(count))


def chain_of_fragments(count: int) -> str:
    return " ".join(f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(count))


DOCUMENTS = {
    "20 doubling fragments": doubling(20),
    "45 doubling fragments": doubling(45),
    "doubling fragments of fields": doubling_fields(20),
    "fragment that spreads itself": "{ ...A } fragment A on Query { ...A }",
    "ring of fragments": "{ ...F0 } " + chain_of_fragments(40) + " fragment F40 on Query { ...F0 }",
    "long chain of fragments": "{ ...F0 } " + chain_of_fragments(400) + " fragment F400 on Query { id }",
    "thousand spreads of one fragment": "{" + " ...A" * 1_000 + "} fragment A on Query { __typename }",
    "thousand unused fragments": "{ __typename } " + many(600, "fragment F# on Query { __typename }"),
    "thousand aliases": "{" + " ".join(f"a{i}: viewer {{ id }}" for i in range(1_000)) + "}",
    "aliased records": "{" + " ".join(f'a{i}: record(id: "x") {{ __typename }}' for i in range(400)) + "}",
    "one field a thousand times": "{" + " viewer { id }" * 1_000 + "}",
    "one leaf four thousand times": "{" + " __typename" * 4_000 + "}",
    "one field in fifty fragments": "{" + many(50, "...F#") + "}" + many(50, f"fragment F# on Query {{{VIEWERS}}}"),
    "one leaf with arguments five hundred times": "{" + " id(x: 1)" * 490 + "}",
    "twenty equal chains": "{" + ("a{b{c{d{e{f{g{h{i{j{k{id}}}}}}}}}}} " * 20) + "}",
    "conflicting aliases": "{" + " ".join(f"a: viewer {{ b{i}: id }}" for i in range(300)) + "}",
    "unknown fields with near names": "{" + " ".join(f"viewe{i}" for i in range(490)) + "}",
    "hundred levels": "{ viewer " + "{ organizations " * 100 + "{ id }" + "}" * 101,
    "four thousand levels": "{a" * 4_000 + "}" * 4_000,
    "open braces": "{" * 60_000,
    "inline fragments inside each other": "{" + "... {" * 900 + "__typename" + "}" * 901,
    "five thousand directives": "{ __typename " + "@skip(if: false) " * 900 + "}",
    "unknown directives": "{ __typename " + "@a" * 2_400 + "}",
    "three nested pages": pages(3),
    "two nested pages": pages(2),
    "organizations of organizations": "{ viewer " + "{ organizations " * 9 + "{ id }" + "}" * 10,
    "page of two billion": pages(1, 2**31 - 1),
    "page of a million digits": f'{{ patient(id: "x") {{ records(first: {"9" * 60_000}) {{ edges {{ cursor }} }} }} }}',
    "deep introspection": introspection(6),
    "aliased introspection": "{" + many(40, "a#: __schema { types { fields { type { name } } } }") + "}",
    "fifty operations": " ".join(f"query Q{i} {{ viewer {{ id }} }}" for i in range(50)),
    "thousand variables": "query(" + " ".join(f"$a{i}: Int" for i in range(900)) + ") { __typename }",
    "type of many brackets": "query($a: " + "[" * 300 + "Int" + "]" * 300 + ") { __typename }",
    "list of twenty thousand literals": "{ a(x: [" + "1 " * 20_000 + "]) }",
    "deep list literal": "{ a(x: " + "[" * 2_000 + "]" * 2_000 + ") }",
    "deep object literal": "{ a(x: " + "{a:" * 1_000 + "1" + "}" * 1_000 + ") }",
    "megabyte string": '{ record(id: "' + "x" * MIB + '") { __typename } }',
    "string of escapes": '{ record(id: "' + "\\u0041" * 10_000 + '") { x } }',
    "block string of lines": '{ record(id: """' + " x\n" * 20_000 + '""") { x } }',
    "megabyte of comments": "#" + "x" * MIB + "\n{ __typename }",
    "thirty thousand comments": "#\n" * 30_000 + "{ __typename }",
    "megabyte of commas": "," * MIB + "{ __typename }",
    "megabyte name": "{ " + "x" * MIB + " }",
    "float of many digits": "{ a(x: 1." + "1" * 60_000 + "e999999999) }",
    "thousand arguments": "{ a(" + " ".join(f"x{i}: 1" for i in range(900)) + ") }",
    "type definitions": " ".join(f"type T{i} {{ a: Int }}" for i in range(500)) + " { __typename }",
}  # fmt: skip

PAGE = (
    "query($f: RecordFilter, $n: Int = 1) {"
    f' patient(id: "{ID}") {{ records(filter: $f, first: $n) {{ edges {{ cursor }} }} }} }}'
)
MEMBERS = b",".join(b'"a%d":1' % number for number in range(100_000))
CREATE = "mutation($input: CreateRecordInput!) { createRecord(input: $input) { __typename } }"


def body(query: str, variables: bytes) -> bytes:
    return b'{"query":' + orjson.dumps(query) + b',"variables":' + variables + b"}"


BODIES = {
    "deep arrays": b"[" * 1_000_000,
    "deep objects": b'{"a":' * 500_000,
    "deep JSON variable": body(CREATE, b'{"input":{"patientId":"x","resource":' + b"[" * 5_000 + b"]" * 5_000 + b"}}"),
    "million digits": body(CREATE, b'{"input":{"resource":' + b"9" * 1_000_000 + b"}}"),
    "million digits of a fraction": body(CREATE, b'{"input":{"resource":0.' + b"9" * 1_000_000 + b"}}"),
    "million empty arrays": body(CREATE, b'{"input":{"resource":[' + b"[]," * 1_000_000 + b"[]]}}"),
    "five million commas": b"[" + b"1," * 5_000_000 + b"1]",
    "list of a hundred thousand types": body(PAGE, b'{"f":{"resourceTypes":[' + b'"a",' * 100_000 + b'"a"]}}'),
    "input of a hundred thousand members": body(PAGE, b'{"f":{' + MEMBERS + b"}}"),
    "page size from a variable": body(PAGE, b'{"n":2147483647}'),
    "page size as an object": body(PAGE, b'{"n":{"a":[]}}'),
    "unused variables": body("{ nothing }", b"{" + MEMBERS + b"}"),
    "batch of ten thousand": b"[" + b'{"query":"{__typename}"},' * 10_000 + b"{}]",
    "same key a hundred thousand times": b"{" + b'"query":"{a}",' * 100_000 + b'"query":"{a}"}',
    "escaped text of a megabyte": b'{"query":"' + b"\\u0041" * 200_000 + b'"}',
    "spaces only": b" " * 15_000_000,
    "long operation name": b'{"query":"query A { __typename }","operationName":"' + b"x" * 1_000_000 + b'"}',
    "bytes that are no text": b"\xff" * 1_000_000,
}  # fmt: skip

MORE = {
    "near names in many fragments": "{" + many(40, "...F#") + "}" + many(40, "fragment F# on Query { viewe# recor# }"),
    "variables with nested defaults": "query("
    + " ".join(f"$a{at}: Json = {'[' * 30}{']' * 30}" for at in range(50))
    + ") { __typename }",
    "undefined variables": "{" + many(240, "record(id: $v#) { __typename }") + "}",
    "many names of one type": "{" + "... on Query " * 90 + "{ __typename }" + "}",
    "typenames under aliases": "{ viewer { " + many(400, "a#: __typename") + " } }",
    "introspection in a circle": "{ __schema { types { " + "ofType { " * 14 + "name" + " }" * 14 + " } } }",
    "introspected possible types": "{ __schema { types { possibleTypes { fields { type { "
    + "ofType { ofType { name } } } } } } } }",
    "conflicts in fragments": "{ viewer { ...A ...B } }"
    + many(1, "fragment A on Actor {" + many(240, "x#: id") + "}")
    + many(1, "fragment B on Actor {" + many(240, "x#: name") + "}"),
    "a name of combining marks": "{ a" + "\u0301" * 20_000 + " }",
    "unicode that is no name": "{ " + "𝕏" * 10_000 + " }",
    "braces of an astral string": '{ record(id: "' + "\\ud83d\\ude00" * 5_000 + '") { x } }',
    "numbers without end": "{ a(x: [" + "9" * 60_000 + "]) }",
    "a page of every order": f'{{ patient(id: "{ID}") {{ '
    + many(16, "a#: timeline(first: 100) { edges { cursor } } b#: latest(first: 100) { edges { cursor } }")
    + " } }",
    "a record under many names": "{" + many(49, 'a#: record(id: "x") { __typename }') + "}",
    "subscription by POST": 'subscription { recordAdded(patientId: "x") { id } }',
    "mutations under many names": "mutation {" + many(20, "a#: signOut { __typename }") + "}",
}  # fmt: skip
"""Beside DOCUMENTS: what is refused, or answered with nothing of anybody's."""
