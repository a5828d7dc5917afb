"""Attributes: what calls are given, what answers write, what the engine's index is told."""

import pytest

from core_driver import Driver, executed, only, state, value, waited
from iwf_interpreter.contract import DataAttributesQuery, PrepareRpcQuery, RpcSignal
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    Command,
    CompleteRun,
    RpcWritten,
    SetMemo,
    SetSearchAttributes,
    SignalReceived,
    queries,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SearchAttribute,
    SearchAttributeValueType,
)

DATA = [KeyValue(key=key, value=value(key)) for key in ("b", "a", "ab")]


def keyword(key: str, text: str) -> SearchAttribute:
    return SearchAttribute(key=key, value_type=SearchAttributeValueType.KEYWORD, string_value=text)


SEARCH = [keyword(key, key) for key in ("b", "a", "ab")]


def policy(
    kind: PersistenceLoadingType | None,
    partial: list[str] | None = None,
    locking: list[str] | None = None,
    prefix: bool | None = None,
) -> PersistenceLoadingPolicy:
    return PersistenceLoadingPolicy(
        persistence_loading_type=kind,
        partial_loading_keys=partial,
        locking_keys=locking,
        use_key_as_prefix=prefix,
    )


PARTIAL = PersistenceLoadingType.LOAD_PARTIAL_WITHOUT_LOCKING
PARTIAL_LOCK = PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK


@pytest.mark.parametrize(
    ("loading", "data", "search"),
    [
        pytest.param(None, ["a", "ab", "b"], ["a", "ab", "b"], id="no-policy"),
        pytest.param(policy(None), ["a", "ab", "b"], ["a", "ab", "b"], id="no-type"),
        pytest.param(
            policy(PersistenceLoadingType.LOAD_ALL_WITHOUT_LOCKING),
            ["a", "ab", "b"],
            ["a", "ab", "b"],
            id="all",
        ),
        pytest.param(
            policy(PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK, locking=["a"]),
            ["a", "ab", "b"],
            ["a", "ab", "b"],
            id="all-with-lock",
        ),
        pytest.param(policy(PersistenceLoadingType.LOAD_NONE, ["a"]), [], [], id="none"),
        pytest.param(policy(PARTIAL, ["a", "unknown"]), ["a"], ["a"], id="partial"),
        pytest.param(policy(PARTIAL, []), ["a", "ab", "b"], [], id="partial-without-keys"),
        pytest.param(policy(PARTIAL_LOCK, ["a"], ["b"]), ["a", "b"], ["a", "b"], id="partial-with-lock"),
        pytest.param(policy(PARTIAL, ["a"], prefix=True), ["a", "ab"], ["a", "ab"], id="prefix"),
    ],
)
def test_call_is_given_what_the_loading_policy_says(
    run: Driver, loading: PersistenceLoadingPolicy | None, data: list[str], search: list[str]
) -> None:
    commands = run.start(
        state("S1", data_attributes_loading_policy=loading, search_attributes_loading_policy=loading),
        init_data_attributes=DATA,
        init_search_attributes=SEARCH,
    )

    request = only(commands, CallWaitUntil).request
    assert [item.key for item in request.data_objects or ()] == data
    assert [item.key for item in request.search_attributes or ()] == search


def test_each_api_has_a_loading_policy_of_its_own(run: Driver) -> None:
    none = policy(PersistenceLoadingType.LOAD_NONE)
    first = run.start(
        state("S1", wait_until_api_data_attributes_loading_policy=none),
        init_data_attributes=DATA,
    )
    second = run.batch(waited("S1-1"))

    assert only(first, CallWaitUntil).request.data_objects is None
    assert len(only(second, CallExecute).request.data_objects or ()) == len(DATA)


def test_written_attributes_reach_the_next_call(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(
        waited(
            "S1-1",
            upsert_data_objects=[KeyValue(key="d", value=value("1"))],
            upsert_search_attributes=[keyword("k", "1")],
        )
    )

    request = only(commands, CallExecute).request
    assert request.data_objects == [KeyValue(key="d", value=value("1"))]
    assert request.search_attributes == [keyword("k", "1")]


def test_write_without_value_keeps_the_key(run: Driver) -> None:
    run.start(state("S1"), init_data_attributes=[KeyValue(key="d", value=value("1"))])

    commands = run.batch(waited("S1-1", upsert_data_objects=[KeyValue(key="d")]))

    assert only(commands, CallExecute).request.data_objects == [KeyValue(key="d")]


def test_locals_go_to_the_execute_of_the_same_execution_only(run: Driver) -> None:
    run.start(state("S1"), state("S2"))

    first = run.batch(waited("S1-1", upsert_state_locals=[KeyValue(key="l", value=value("1"))]))
    second = run.batch(waited("S2-1"))

    assert only(first, CallExecute).request.state_locals == [KeyValue(key="l", value=value("1"))]
    assert only(second, CallExecute).request.state_locals is None


def search_changes(commands: list[Command]) -> dict[str, EngineValue]:
    return only(commands, SetSearchAttributes).values


def test_search_attributes_are_sent_once_per_batch_with_their_last_values(run: Driver) -> None:
    run.start(state("S1"), state("S2"))

    commands = run.batch(
        waited("S1-1", upsert_search_attributes=[keyword("k", "1"), keyword("m", "1")]),
        waited("S2-1", upsert_search_attributes=[keyword("k", "2")]),
    )

    assert search_changes(commands) == {"k": EngineValue("Keyword", "2"), "m": EngineValue("Keyword", "1")}


def test_search_attribute_that_does_not_change_is_not_sent(run: Driver) -> None:
    run.start(state("S1"), init_search_attributes=[keyword("k", "1")])

    commands = run.batch(waited("S1-1", upsert_search_attributes=[keyword("k", "1")]))

    assert [type(command) for command in commands] == [CallExecute]


def test_search_attribute_without_value_is_sent_as_zero_and_kept_without(run: Driver) -> None:
    run.start(state("S1"))
    bare = SearchAttribute(key="n", value_type=SearchAttributeValueType.INT)

    commands = run.batch(waited("S1-1", upsert_search_attributes=[bare]))

    assert search_changes(commands) == {"n": EngineValue("Int", 0)}
    assert run.state.search_attributes == {"n": bare}


def test_invalid_search_attribute_sent_by_hand_is_kept_but_not_indexed(run: Driver) -> None:
    run.start()
    odd = SearchAttribute(key="n", string_value="no type")

    commands = run.batch(RpcWritten(changes=RpcSignal(upsert_search_attributes=[odd])))

    assert commands == []
    assert run.state.search_attributes == {"n": odd}


def test_search_attributes_of_the_closing_answer_are_sent_before_the_close(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    commands = run.batch(
        executed(
            "S1-1",
            state(ClosingState.GRACEFUL_COMPLETE),
            upsert_search_attributes=[keyword("k", "1")],
        )
    )

    assert [type(command) for command in commands] == [SetSearchAttributes, CompleteRun]


def test_memo_mode_mirrors_written_data_attributes(run: Driver) -> None:
    run.start(state("S1"), init_data_attributes=DATA, use_memo_for_data_attributes=True)

    commands = run.batch(
        waited("S1-1", upsert_data_objects=[KeyValue(key="d", value=value("1")), KeyValue(key="e")])
    )

    assert only(commands, SetMemo).values == {"d": value("1"), "e": EncodedObject()}


def test_without_memo_mode_the_memo_stays_as_it_is(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(waited("S1-1", upsert_data_objects=[KeyValue(key="d", value=value("1"))]))

    assert [type(command) for command in commands] == [CallExecute]


def test_rpc_writes_all_its_parts_at_once(run: Driver) -> None:
    run.start()

    run.batch(
        RpcWritten(
            changes=RpcSignal(
                upsert_data_objects=[KeyValue(key="d", value=value("1"))],
                upsert_search_attributes=[keyword("k", "1")],
                inter_state_channel_publishing=[InterStateChannelPublishing(channel_name="c")],
            )
        )
    )

    assert run.state.data_attributes == {"d": value("1")}
    assert run.state.search_attributes == {"k": keyword("k", "1")}
    assert run.state.internal_channels == {"c": [None]}


def test_data_attributes_query_answers_by_key_in_order(run: Driver) -> None:
    run.start(init_data_attributes=DATA)

    everything = queries.data_attributes(run.state, DataAttributesQuery())
    some = queries.data_attributes(run.state, DataAttributesQuery(keys=["b", "unknown"]))

    assert [item.key for item in everything.data_attributes] == ["a", "ab", "b"]
    assert some.data_attributes == [KeyValue(key="b", value=value("b"))]


def test_rpc_is_prepared_from_the_state(run: Driver) -> None:
    run.start(init_data_attributes=DATA, init_search_attributes=SEARCH)
    run.batch(SignalReceived(channel_name="s", value=value("1")))

    answer = queries.prepare_rpc(
        run.state,
        PrepareRpcQuery(
            data_objects_loading_policy=policy(PARTIAL, ["a"]),
            search_attributes_loading_policy=policy(PersistenceLoadingType.LOAD_NONE),
        ),
    )

    assert [item.key for item in answer.data_objects] == ["a"]
    assert answer.search_attributes == []
    assert (answer.workflow_run_id, answer.workflow_started_timestamp) == ("run-1", 1_700_000_000)
    assert (answer.iwf_workflow_type, answer.iwf_worker_url) == ("Order", "http://worker:8802")
    assert (answer.signal_channel_info, answer.internal_channel_info) == ({"s": 1}, {})
