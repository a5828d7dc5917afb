"""Parts that several messages share: user values, attributes, policies, configuration.

Fields only. What a policy does, and which of two policies applies, is decided by the interpreter and by
`iwf_models.compat`.
"""

from enum import StrEnum

from iwf_models._base import Int32, Int64, WireStruct


class EncodedObject(WireStruct, frozen=True, kw_only=True):
    """A user's value, already encoded by an SDK. The server never looks inside.

    An object without any field is still an object: SDKs send `{}` for a value that is null, which is not the
    same as sending no value.
    """

    encoding: str | None = None
    """Label of the SDK's encoder. Kept as it is; absent stays absent and never becomes `""`."""
    data: str | None = None
    ext_store_id: str | None = None
    """Blob store that holds the data, when it is not inline."""
    ext_path: str | None = None
    """Path of the data inside that store."""


class KeyValue(WireStruct, frozen=True, kw_only=True):
    """A named value, such as a data attribute or a state local."""

    key: str | None = None
    value: EncodedObject | None = None


class SearchAttributeValueType(StrEnum):
    """Types that an engine can index."""

    KEYWORD = "KEYWORD"
    TEXT = "TEXT"
    DATETIME = "DATETIME"
    INT = "INT"
    DOUBLE = "DOUBLE"
    BOOL = "BOOL"
    KEYWORD_ARRAY = "KEYWORD_ARRAY"


class SearchAttributeKeyAndType(WireStruct, frozen=True, kw_only=True):
    """Names a search attribute to read."""

    key: str | None = None
    value_type: SearchAttributeValueType | None = None


class SearchAttribute(WireStruct, frozen=True, kw_only=True):
    """A search attribute, with its value in the field that belongs to its type.

    Without that field the attribute is set to no value, which SDKs use to clear it.
    """

    key: str | None = None
    value_type: SearchAttributeValueType | None = None
    string_value: str | None = None
    """Value of `KEYWORD`, `TEXT` and `DATETIME`."""
    integer_value: Int64 | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    string_array_value: list[str] | None = None


class RetryPolicy(WireStruct, frozen=True, kw_only=True):
    """How often, and for how long, a failing call of a state API is repeated."""

    initial_interval_seconds: Int32 | None = None
    """Pause after the first failure. Absent means 1."""
    backoff_coefficient: float | None = None
    """Factor from one pause to the next. Absent means 2."""
    maximum_interval_seconds: Int32 | None = None
    """Longest pause. Absent means 100, or the initial interval if that is longer."""
    maximum_attempts: Int32 | None = None
    """Attempts in all. 0 and absent mean no limit."""
    maximum_attempts_duration_seconds: Int32 | None = None
    """Time over all attempts. 0 and absent mean no limit."""


class WorkflowRetryPolicy(WireStruct, frozen=True, kw_only=True):
    """How often a failing workflow is run again. Defaults as in `RetryPolicy`."""

    initial_interval_seconds: Int32 | None = None
    backoff_coefficient: float | None = None
    maximum_interval_seconds: Int32 | None = None
    maximum_attempts: Int32 | None = None


class PersistenceLoadingType(StrEnum):
    """Which attributes a call to a worker receives, and which of them it locks."""

    LOAD_ALL_WITHOUT_LOCKING = "LOAD_ALL_WITHOUT_LOCKING"
    LOAD_PARTIAL_WITHOUT_LOCKING = "LOAD_PARTIAL_WITHOUT_LOCKING"
    LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK = "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK"
    LOAD_NONE = "LOAD_NONE"
    LOAD_ALL_WITH_PARTIAL_LOCK = "LOAD_ALL_WITH_PARTIAL_LOCK"


class PersistenceLoadingPolicy(WireStruct, frozen=True, kw_only=True):
    """Selects the attributes that a call to a worker receives and locks."""

    persistence_loading_type: PersistenceLoadingType | None = None
    """Absent means all, without locking."""
    partial_loading_keys: list[str] | None = None
    locking_keys: list[str] | None = None
    """Keys to lock, for the types that lock."""
    use_key_as_prefix: bool | None = None
    """Each key selects all attributes that start with it."""
    lazy_loading_large_data_attributes: bool | None = None
    """Hand values from the blob store over as references instead of loading them."""


class ExecutingStateIdMode(StrEnum):
    """Which state ids the system search attribute shows while they execute."""

    ENABLED_FOR_ALL = "ENABLED_FOR_ALL"
    ENABLED_FOR_STATES_WITH_WAIT_UNTIL = "ENABLED_FOR_STATES_WITH_WAIT_UNTIL"
    DISABLED = "DISABLED"


class WorkflowConfig(WireStruct, frozen=True, kw_only=True):
    """Settings of one workflow. As an override, only what is present replaces the server's default."""

    disable_system_search_attribute: bool | None = None
    """Legacy form of `executing_state_id_mode`."""
    executing_state_id_mode: ExecutingStateIdMode | None = None
    continue_as_new_threshold: Int32 | None = None
    """Operations of a run before it continues as new. 0 means never."""
    continue_as_new_page_size_in_bytes: Int32 | None = None
    optimize_activity: bool | None = None
    """Try calls of state APIs as local activities first."""
    optimize_timer: bool | None = None
    """Keep one timer at the engine at a time. The interpreter does so always."""
    count_held_messages: bool | None = None
    """Not in the published document: see `docs/wire-models.md`. A conditional close also counts the messages
    that commands of live state executions have taken from the channel."""
    keep_executing_state_ids_on_close: bool | None = None
    """Not in the published document. Leave `IwfExecutingStateIds` as it is when the workflow completes."""


class StateCompletionOutput(WireStruct, frozen=True, kw_only=True):
    """What a completed state execution left as a result of its workflow."""

    completed_state_id: str
    completed_state_execution_id: str
    completed_state_output: EncodedObject | None = None


class InterStateChannelPublishing(WireStruct, frozen=True, kw_only=True):
    """A message for an internal channel. One without a value counts as a message all the same."""

    channel_name: str
    value: EncodedObject | None = None


class ChannelInfo(WireStruct, frozen=True, kw_only=True):
    """State of a channel, as a worker's RPC sees it."""

    size: Int32 | None = None
    """Messages that nobody has consumed yet."""
