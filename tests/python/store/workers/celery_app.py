"""A celery application whose broker is a folder. Its workers are forked."""

from __future__ import annotations

import os

import celery
import worker_app

FOLDER = os.environ["OUTLAY_TEST_BROKER"]
app = celery.Celery("workers", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{FOLDER}/queue",
    "data_folder_out": f"{FOLDER}/queue",
    "control_folder": f"{FOLDER}/control",
}
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True


@app.task(name="use")
def use(count=1):
    """Use one of each, so many times. Return the process and what it got."""
    got = [worker_app.one_of_each() for _ in range(count)]
    return [os.getpid(), *map(sum, zip(*got, strict=True))]
