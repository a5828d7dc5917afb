"""Exclusive locks on data attributes and search attributes, for the time of one call.

A call asks for all its locks at once, over both kinds of attributes, and gets them all at once: as soon as
no older request conflicts with it, whether that one holds its locks or waits itself. So nobody holds some
locks while waiting for others, nobody is overtaken, and there is no deadlock (`docs/interpreter.md`).
A request is known by its owner, the id of the call; only the owner's own release ends it.

A lock is written as a letter for the kind, `d` or `s`; then `=` for one key, or `*` for all keys that begin
with it; then the key.
"""

from collections.abc import Iterator, Sequence

from iwf_interpreter.core.state import LockTicket
from iwf_models import PersistenceLoadingPolicy, PersistenceLoadingType

_LOCKING = frozenset(
    {
        PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
        PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK,
    }
)


def wanted_locks(
    data_attributes: PersistenceLoadingPolicy | None, search_attributes: PersistenceLoadingPolicy | None
) -> list[str]:
    """The locks that a call with these loading policies needs."""
    return [*_locks("d", data_attributes), *_locks("s", search_attributes)]


class Locks:
    """Who holds what and who waits: an index over `ExecutionState.lock_tickets`."""

    def __init__(self, tickets: list[LockTicket]) -> None:
        self._tickets = tickets
        self._blockers: dict[str, int] = {}
        """By owner: how many older tickets conflict with its own."""
        for position, ticket in enumerate(tickets):
            self._blockers[ticket.owner] = _conflicts(ticket.keys, tickets[:position])

    def request(self, owner: str, keys: list[str]) -> None:
        """Queue for these locks, all together."""
        self._blockers[owner] = _conflicts(keys, self._tickets)
        self._tickets.append(LockTicket(owner=owner, keys=keys))

    def would_wait(self, keys: list[str]) -> bool:
        """Whether a request for these locks, made now, would not be granted at once."""
        return _conflicts(keys, self._tickets) > 0

    def granted(self, owner: str) -> bool:
        """Whether the owner may go ahead; one that never asked for locks may."""
        return not self._blockers.get(owner)

    def release(self, owner: str) -> None:
        """Give up the owner's locks, or its place in the queue; without either nothing happens."""
        if owner not in self._blockers:
            return
        del self._blockers[owner]
        position = next(index for index, ticket in enumerate(self._tickets) if ticket.owner == owner)
        ended = self._tickets.pop(position)
        for ticket in self._tickets[position:]:
            if _conflict(ended.keys, ticket.keys):
                self._blockers[ticket.owner] -= 1


def _locks(kind: str, policy: PersistenceLoadingPolicy | None) -> Iterator[str]:
    if policy is None or policy.persistence_loading_type not in _LOCKING:
        return
    form = "*" if policy.use_key_as_prefix else "="
    for key in dict.fromkeys(policy.locking_keys or ()):
        yield f"{kind}{form}{key}"


def _conflicts(keys: Sequence[str], tickets: Sequence[LockTicket]) -> int:
    return sum(_conflict(keys, ticket.keys) for ticket in tickets)


def _conflict(some: Sequence[str], others: Sequence[str]) -> bool:
    return any(_overlap(one, other) for one in some for other in others)


def _overlap(one: str, other: str) -> bool:
    if one[0] != other[0]:
        return False
    covers_other = one[1] == "*" and other[2:].startswith(one[2:])
    return one == other or covers_other or (other[1] == "*" and one[2:].startswith(other[2:]))
