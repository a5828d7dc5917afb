"""Data attributes and search attributes: what a call is given, and what answers write.

Loading follows `PersistenceLoadingPolicy` (`docs/interpreter.md`). A write replaces the whole
entry of its key; nothing deletes a key.
"""

from collections.abc import Iterable

from iwf_interpreter.core.state import ExecutionState
from iwf_models import KeyValue, PersistenceLoadingPolicy, PersistenceLoadingType, SearchAttribute


def load_data_attributes(state: ExecutionState, policy: PersistenceLoadingPolicy | None) -> list[KeyValue]:
    """The data attributes that a call with this policy is given, sorted by key.

    A partial policy that names no key at all loads everything: users of the reference server rely on it.
    """
    attributes = state.data_attributes
    selected = _select(attributes, policy, all_when_no_keys=True)
    return [KeyValue(key=key, value=attributes[key]) for key in selected]


def load_search_attributes(
    state: ExecutionState, policy: PersistenceLoadingPolicy | None
) -> list[SearchAttribute]:
    """The search attributes that a call with this policy is given, sorted by key."""
    attributes = state.search_attributes
    return [attributes[key] for key in _select(attributes, policy, all_when_no_keys=False)]


def _select(
    keys: Iterable[str], policy: PersistenceLoadingPolicy | None, *, all_when_no_keys: bool
) -> list[str]:
    wanted = _wanted_keys(policy)
    if wanted is None or (not wanted and all_when_no_keys and not _loads_nothing(policy)):
        return sorted(keys)
    if policy is not None and policy.use_key_as_prefix:
        prefixes = tuple(wanted)
        return sorted(key for key in keys if key.startswith(prefixes))
    return sorted(key for key in keys if key in wanted)


def _loads_nothing(policy: PersistenceLoadingPolicy | None) -> bool:
    return policy is not None and policy.persistence_loading_type is PersistenceLoadingType.LOAD_NONE


def _wanted_keys(policy: PersistenceLoadingPolicy | None) -> frozenset[str] | None:
    """Keys to load; `None` is all of them."""
    if policy is None:
        return None
    match policy.persistence_loading_type:
        case PersistenceLoadingType.LOAD_NONE:
            return frozenset()
        case PersistenceLoadingType.LOAD_PARTIAL_WITHOUT_LOCKING:
            return frozenset(policy.partial_loading_keys or ())
        case PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK:
            return frozenset((*(policy.partial_loading_keys or ()), *(policy.locking_keys or ())))
        case _:
            return None
