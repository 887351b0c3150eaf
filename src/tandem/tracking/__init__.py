"""The record of a run, and MLflow: the store, runs, logged models, history, the dashboard.

What imports MLflow is called in the process beside this one: `beside.ask(log_batch, ...)`.
"""

from tandem.tracking.client import tracking_uri
from tandem.tracking.dashboard import links
from tandem.tracking.folder import (
    model_name,
    read_answer,
    read_logged,
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
    end_unfinished,
    finished_under,
    latest_sweep,
    measured,
    members,
    runs_frame,
)
from tandem.tracking.logged_model import load_model, log_dataset
from tandem.tracking.record import Record, describe
from tandem.tracking.running import listing_rejects, opened_store, tracked
from tandem.tracking.runs import log_batch, log_file, log_files, put_in_place, send

__all__ = [
    "FINISHED",
    "RUNNING",
    "SWEEP_TAG",
    "WARM_UP_TAG",
    "Attempt",
    "Measured",
    "Record",
    "attempts",
    "describe",
    "end_unfinished",
    "finished_under",
    "latest_sweep",
    "links",
    "listing_rejects",
    "load_model",
    "log_batch",
    "log_dataset",
    "log_file",
    "log_files",
    "measured",
    "members",
    "model_name",
    "opened_store",
    "put_in_place",
    "read_answer",
    "read_logged",
    "read_record",
    "read_remarks",
    "runs_frame",
    "send",
    "tracked",
    "tracking_uri",
    "write_record",
]
