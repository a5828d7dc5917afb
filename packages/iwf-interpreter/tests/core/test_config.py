"""Settings of a run that a client changes on the way."""

import pytest

from core_driver import Driver
from iwf_interpreter.core import ConfigUpdated, queries
from iwf_models import ExecutingStateIdMode, WorkflowConfig

FULL = WorkflowConfig(
    disable_system_search_attribute=False,
    executing_state_id_mode=ExecutingStateIdMode.DISABLED,
    continue_as_new_threshold=100,
    continue_as_new_page_size_in_bytes=2000,
    optimize_activity=True,
    optimize_timer=True,
    count_held_messages=True,
    keep_executing_state_ids_on_close=True,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(FULL, FULL, id="everything"),
        pytest.param(
            WorkflowConfig(optimize_activity=False),
            WorkflowConfig(
                executing_state_id_mode=ExecutingStateIdMode.DISABLED,
                optimize_activity=False,
                continue_as_new_threshold=5,
            ),
            id="false-replaces-true",
        ),
        pytest.param(
            WorkflowConfig(continue_as_new_threshold=0),
            WorkflowConfig(
                executing_state_id_mode=ExecutingStateIdMode.DISABLED,
                optimize_activity=True,
                continue_as_new_threshold=0,
            ),
            id="zero-replaces-a-number",
        ),
        pytest.param(
            WorkflowConfig(),
            WorkflowConfig(
                executing_state_id_mode=ExecutingStateIdMode.DISABLED,
                optimize_activity=True,
                continue_as_new_threshold=5,
            ),
            id="nothing-changes-nothing",
        ),
    ],
)
def test_only_fields_that_are_present_replace(
    run: Driver, given: WorkflowConfig, expected: WorkflowConfig
) -> None:
    run.start(
        config=WorkflowConfig(
            executing_state_id_mode=ExecutingStateIdMode.DISABLED,
            optimize_activity=True,
            continue_as_new_threshold=5,
        )
    )

    run.batch(ConfigUpdated(config=given))

    assert run.state.config == expected
    assert queries.debug_dump(run.state).config == expected


def test_later_update_wins(run: Driver) -> None:
    run.start()

    run.batch(*(ConfigUpdated(config=WorkflowConfig(continue_as_new_threshold=number)) for number in (7, 8)))

    assert run.state.config.continue_as_new_threshold == 8
