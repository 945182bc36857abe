"""`python -m schema` prints the schema. `schema/schema.graphql` is its checked-in copy."""

import sys

from schema.root import print_sdl

sys.stdout.write(print_sdl())
