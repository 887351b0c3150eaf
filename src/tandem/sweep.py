"""A Hydra multirun as one parent run in MLflow, its jobs as the children."""

import os
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tandem.errors import IncompleteError


class SweepParent(Callback):
    """Opens the parent, counts the jobs on it as they end, closes it.

    Under `mlflow run` the run it made becomes the parent: its id is taken out of the environment,
    where the first job would swallow it.
    """

    current: "SweepParent | None" = None

    def __init__(self) -> None:
        self._done = self._failed = 0
        self._tracked: AbstractContextManager[str] | None = None
        self.run_id = ""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        from tandem import tracking  # noqa: PLC0415 - slow to import; a typo is answered before

        # Not validated: swept keys still hold all their values.
        keys = config.tracking
        store = tracking.Store(keys.uri, keys.experiment, keys.parent_run_id)
        self._tracked = tracking.tracked(store, "sweep", {"kind": "sweep"})
        self.run_id = self._tracked.__enter__()
        SweepParent.current = self
        os.environ.pop("MLFLOW_RUN_ID", None)
        os.environ[tracking.SWEEP_RUN_ID] = self.run_id

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:  # noqa: ARG002 - Hydra's signature
        if self._tracked is None:
            return
        from tandem import tracking  # noqa: PLC0415 - as above

        failed = bool(job_return._return_value)  # noqa: SLF001 - the property raises what a job raised
        self._failed += failed
        self._done += not failed
        counts = (("sweep/done", self._done, 0), ("sweep/failed", self._failed, 0))
        tracking.log_batch(self.run_id, tracking.Record(metrics=counts))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:  # noqa: ARG002 - Hydra's signature
        self.close(None)

    def close(self, error: BaseException | None) -> None:
        """End the parent: FAILED or KILLED on `error`, FAILED where a job failed."""
        tracked, self._tracked = self._tracked, None
        if tracked is None:
            return
        if error is None and self._failed:
            error = IncompleteError(f"{self._failed} of {self._failed + self._done} jobs failed")
        _leave(tracked, error)


def _leave(context: AbstractContextManager[str], error: BaseException | None) -> None:
    traceback: TracebackType | None = error.__traceback__ if error else None
    try:
        context.__exit__(type(error) if error else None, error, traceback)
    except (Exception, KeyboardInterrupt) as raised:
        if raised is not error:
            raise
