"""Locks as the simulator sees them: which keys a call must have to itself, and which of them collide."""

from typing import TypeAlias

from iwf_interpreter.contract import LockedRpcRequest
from iwf_models import PersistenceLoadingPolicy, PersistenceLoadingType, WorkflowStateOptions, compat

LockKey: TypeAlias = tuple[str, str, bool]
"""Kind of attribute, key, and whether it stands for all keys that begin with it."""

_LOCKING = (
    PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
    PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK,
)


def lock_keys(
    source: WorkflowStateOptions | LockedRpcRequest | None, *, before_waiting: bool = False
) -> tuple[LockKey, ...]:
    """The locks of a state's call, or of an RPC."""
    if source is None:
        return ()
    if isinstance(source, LockedRpcRequest):
        data, search = source.data_attributes_loading_policy, source.search_attributes_loading_policy
    elif before_waiting:
        data = compat.wait_until_data_attributes_policy(source)
        search = compat.wait_until_search_attributes_policy(source)
    else:
        data = compat.execute_data_attributes_policy(source)
        search = compat.execute_search_attributes_policy(source)
    return (*_keys("data", data), *_keys("search", search))


def collide(some: tuple[LockKey, ...], others: tuple[LockKey, ...]) -> bool:
    """Whether two calls must not run at the same time."""
    return any(_same(one, other) for one in some for other in others)


def _keys(kind: str, policy: PersistenceLoadingPolicy | None) -> list[LockKey]:
    if policy is None or policy.persistence_loading_type not in _LOCKING:
        return []
    return [(kind, key, bool(policy.use_key_as_prefix)) for key in policy.locking_keys or ()]


def _same(one: LockKey, other: LockKey) -> bool:
    if one[0] != other[0]:
        return False
    if one[1] == other[1]:
        return True
    return (one[2] and other[1].startswith(one[1])) or (other[2] and one[1].startswith(other[1]))
