"""The record of a run, and MLflow: the store, runs, logged models, history, the dashboard.

What imports MLflow is called in the process beside this one: `beside.ask(flush)`.
"""

from tandem.tracking.dashboard import links
from tandem.tracking.folder import (
    artifacts_in,
    has_record,
    keep_dataset,
    keep_record,
    model_name,
    read_answer,
    read_record,
    read_remarks,
    write_record,
)
from tandem.tracking.history import (
    FINISHED,
    RUNNING,
    SWEEP_TAG,
    WARM_UP_TAG,
    Attempt,
    Measured,
    attempts,
    key_of,
    latest_sweep,
    measured,
    members,
    runs_frame,
)
from tandem.tracking.logged_model import load_model
from tandem.tracking.outbox import address, all_waiting, is_over, stop_under
from tandem.tracking.record import KEY_TAG, Record, describe
from tandem.tracking.running import (
    Run,
    adopted,
    listing_rejects,
    opened_store,
    read_outcome,
    tracked,
)
from tandem.tracking.runs import BEST_TAG, log_progress
from tandem.tracking.sending import flush

__all__ = [
    "BEST_TAG",
    "FINISHED",
    "KEY_TAG",
    "RUNNING",
    "SWEEP_TAG",
    "WARM_UP_TAG",
    "Attempt",
    "Measured",
    "Record",
    "Run",
    "address",
    "adopted",
    "all_waiting",
    "artifacts_in",
    "attempts",
    "describe",
    "flush",
    "has_record",
    "is_over",
    "keep_dataset",
    "keep_record",
    "key_of",
    "latest_sweep",
    "links",
    "listing_rejects",
    "load_model",
    "log_progress",
    "measured",
    "members",
    "model_name",
    "opened_store",
    "read_answer",
    "read_outcome",
    "read_record",
    "read_remarks",
    "runs_frame",
    "stop_under",
    "tracked",
    "write_record",
]
