"""The MLflow models of runs in a store that MLflow itself must write, through MlflowClient.

MLflow gives a model its id, and cannot make one only once: as runs, models are searched before one is made and after a creation
that may have succeeded, and of several of one run all but the first are deleted. One that a person has deleted stays so. Where
the metrics are others than those of the model that is there, as of a run that was resumed after its end, a new one takes its
place, since MLflow cannot change them.
"""

import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from polyexp.tracking.entry import JOURNAL_TAG, Entry, LoggedModel
from polyexp.tracking.failures import is_passing, lacks_endpoint
from polyexp.tracking.logged_model import written_files
from polyexp.tracking.retry import Retry

__all__ = ["ClientModels"]

MAX_PARAM = 6000  # characters of a param, of which MLflow cuts those of runs itself
READY = "READY"


@dataclass(frozen=True)
class ClientModels:
    """What writes the models of runs.

    Args:
        client: MLflow's client.
        retry: How often and how long each call is tried.
    """

    client: Any
    retry: Retry

    def write(self, entry: Entry, model: LoggedModel, run_id: str, experiment_id: str) -> None:
        """Write the model of a run, or delete it where its last result has none; a server before MLflow 3 has no models.

        Args:
            entry: The entry of the run, whose metrics are there.
            model: The model.
            run_id: The id of the run in the store.
            experiment_id: The id of its MLflow experiment.
        """
        try:
            found = self._only_model(run_id, experiment_id)
        except Exception as error:
            if lacks_endpoint(error):
                return
            raise
        if model.export is None:
            if found:
                self.retry.call(self.client.delete_logged_model, found.model_id)
            return
        outputs = self._outputs(run_id)
        if found is None and outputs:  # a person has deleted it
            return
        earlier = found if found and _has_other_metrics(found, model) else None
        is_there = found and not earlier
        made: Any = found if is_there else self._created(entry, model, run_id, experiment_id, earlier)
        self._write_files(made, model, run_id)
        self._log_metrics(made.model_id, model, run_id)
        if made.model_id not in outputs:
            self._log_output(run_id, made.model_id)
        if earlier:
            self.retry.call(self.client.delete_logged_model, earlier.model_id)

    def _only_model(self, run_id: str, experiment_id: str, earlier: Any = None) -> Any | None:
        """The model of a run, but for an earlier one, after all others of it were deleted; None where there is none."""
        words = f"source_run_id = '{run_id}' AND tags.`{JOURNAL_TAG}` != ''"
        models = self.retry.call(self.client.search_logged_models, [experiment_id], words)
        models = [one for one in models if earlier is None or one.model_id != earlier.model_id]
        first, *others = sorted(models, key=lambda one: (one.creation_timestamp, one.model_id)) or [None]
        for one in others:
            self.retry.call(self.client.delete_logged_model, one.model_id)
        return first

    def _outputs(self, run_id: str) -> set[str]:
        outputs = self.retry.call(self.client.get_run, run_id).outputs
        return {one.model_id for one in outputs.model_outputs} if outputs else set()

    def _created(self, entry: Entry, model: LoggedModel, run_id: str, experiment_id: str, earlier: Any) -> Any:
        """A new model, in the place of an earlier one if there is one; it is looked for before each further attempt."""
        params = {name: text[:MAX_PARAM] for name, text in model.params.items()}
        about: tuple[Any, ...] = (experiment_id, model.name, run_id, {JOURNAL_TAG: entry.id}, params)
        for number in count(1):
            try:
                made = self.retry.once(self.client.create_logged_model, *about)
                return self._only_model(run_id, experiment_id, earlier) or made
            except Exception as error:
                if not is_passing(error):
                    raise
                time.sleep(self.retry.pause_after(number))
                if found := self._only_model(run_id, experiment_id, earlier):
                    return found
                if number >= self.retry.tries:
                    raise
        raise AssertionError("the loop has no end")

    def _write_files(self, found: Any, model: LoggedModel, run_id: str) -> None:
        with written_files(model, found.model_id, run_id, found.artifact_location) as files:
            folder = str(files[0].path.parent)
            self.retry.call(self.client.log_model_artifacts, found.model_id, folder)
        self.retry.call(self.client.finalize_logged_model, found.model_id, READY)

    def _log_metrics(self, model_id: str, model: LoggedModel, run_id: str) -> None:
        """Log the final metrics, which the run has already, as those of the model, too."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, at, step, model_id) for name, value, step, at in model.metrics]
        if metrics:
            self.retry.call(self.client.log_batch, run_id, metrics)

    def _log_output(self, run_id: str, model_id: str) -> None:
        from mlflow.entities import LoggedModelOutput

        try:
            self.retry.call(self.client.log_outputs, run_id, [LoggedModelOutput(model_id, 0)])
        except Exception:
            if model_id not in self._outputs(run_id):  # an attempt whose answer was lost has logged it
                raise


def _has_other_metrics(found: Any, model: LoggedModel) -> bool:
    """Whether a model that is there has metrics of these names with other values or times."""
    new = {(name, value, at) for name, value, _, at in model.metrics}
    there = {(one.key, one.value, one.timestamp) for one in found.metrics or ()}
    names = {name for name, _, _ in new}
    return any(one[0] in names for one in there - new)
