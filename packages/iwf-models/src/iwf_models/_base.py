"""The base of all wire models, and the two integer types that the wire knows.

Not a place for behaviour: wire models carry fields only. What must stay true for each of them:

- its only default is `None`, which means "absent". An explicit JSON null reads as absent, and what is
  absent is left out when written, so no model ever writes null. Everything that was set is written, `false`,
  `0`, `""` and `[]` included;
- unknown fields are ignored when read;
- it repeats `frozen=True, kw_only=True`: msgspec applies `kw_only` only to the class that sets it.

The rules in full are in `docs/wire-models.md`.
"""

from typing import Annotated

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""A signed 32-bit integer: every integer of the wire that is not declared `int64`."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A signed 64-bit integer, a plain JSON number on the wire and exact over the whole range."""


class WireStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An immutable record whose fields are written in camel case and left out while `None`."""
