"""Starts Daft: natively on this machine, or on Ray. The same code runs on both.

Neither tells anybody that it runs: both would, were they not told otherwise before they are imported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from governance.errors import DatasetError

_SILENCE: Final = {
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "DO_NOT_TRACK": "true",
    "SCARF_NO_ANALYTICS": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_CLUSTER: Final = "RAY_ADDRESS"
"""The variable that Ray itself reads: the cluster to use in place of one on this machine."""
_ATTEMPTS: Final = 3


class Engine(StrEnum):
    """What an audit runs on."""

    NATIVE = "native"
    RAY = "ray"


def silence() -> None:
    """See to it that neither Daft nor Ray sends anything anywhere. Before either is imported."""
    os.environ.update(_SILENCE)


@contextmanager
def running(engine: Engine, workers: int) -> Iterator[Any]:
    """Daft, started on `engine`; what this started for it ends with it.

    `workers` are the CPUs of a Ray cluster that is started here; the cluster that `RAY_ADDRESS` names has its own.

    Raises:
        DatasetError: this process has Daft running on the other engine already, or Ray cannot be started.
    """
    silence()
    import daft

    if engine is Engine.NATIVE:
        _set(daft, engine, daft.set_runner_native)
        yield daft
        return
    import ray

    own = not ray.is_initialized()
    try:
        if own:
            _start_ray(ray, workers)
        _set(daft, engine, lambda: daft.set_runner_ray(noop_if_initialized=True))
        yield daft
    finally:
        if own:
            ray.shutdown()


def _start_ray(ray: Any, workers: int) -> None:
    """Start Ray on this machine, or join the cluster that is named. A busy machine may need more than one attempt."""
    here: dict[str, Any] = {} if os.environ.get(_CLUSTER) else {"num_cpus": workers, "include_dashboard": False}
    for attempt in range(_ATTEMPTS):
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **here)
        except Exception as error:  # Ray raises nothing narrower where a process of its own does not come up
            ray.shutdown()
            if attempt == _ATTEMPTS - 1:
                raise DatasetError(
                    f"Ray cannot be started: {error}.", remedy=f"Use --engine native, or correct {_CLUSTER}."
                ) from error
        else:
            return


def _set(daft: Any, engine: Engine, start: Any) -> None:
    try:
        start()
    except Exception as error:  # what Daft raises here has no class of its own
        if daft.get_or_infer_runner_type() != engine.value:
            raise DatasetError(
                f"Daft runs on {daft.get_or_infer_runner_type()} in this process already.",
                remedy="A process has one engine: audit with the other one in a process of its own.",
            ) from error
