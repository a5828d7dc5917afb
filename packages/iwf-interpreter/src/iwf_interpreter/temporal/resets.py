"""Where in a run's history a reset goes back to, and the reset itself.

A reset names an event at which a workflow task was completed (or begun), and runs exactly that task again. So
the point before a call is the task that decided on it; with it goes everything else that this task decided,
and a call that was made in place leaves its mark after the task in which it was made. The history of the
given run alone is looked at.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest, ResetWorkflowExecutionRequest
from temporalio.service import RPCError

from iwf_interpreter.contract import ContinuedRun, InterpreterInput
from iwf_interpreter.core.calls import EXECUTE_PREFIX, WAIT_UNTIL_PREFIX
from iwf_interpreter.engine import (
    EngineError,
    NoResetPoint,
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
)
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import engine_error
