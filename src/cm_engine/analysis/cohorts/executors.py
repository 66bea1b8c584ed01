"""Executors to simulate on: processes of this machine, or a Dask cluster."""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import cast

from cm_engine.errors import MissingDependencyError

LOOPBACK = "127.0.0.1"


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Start processes of this machine, and end them afterwards; what they run has to be importable.

    Args:
        workers: how many.
    """
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


@contextmanager
def dask(address: str = "", *, workers: int = 2) -> Iterator[Executor]:
    """Join a Dask cluster, or start one of this machine on loopback and end it afterwards.

    Args:
        address: of the scheduler, such as tcp://10.0.0.5:8786; empty to start a cluster.
        workers: how many processes a cluster has that is started.

    Raises:
        MissingDependencyError: the extra `dask` is not installed.
    """
    try:
        import distributed  # noqa: PLC0415 - it comes with an extra
    except ModuleNotFoundError as error:
        raise MissingDependencyError("distributed", "dask") from error
    if address:
        with distributed.Client(address) as client:  # type: ignore[no-untyped-call]
            yield cast("Executor", client.get_executor())
        return
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers, threads_per_worker=1, host=LOOPBACK, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield cast("Executor", client.get_executor())
