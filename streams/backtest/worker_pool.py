"""Worker processes of a backtest: they take calls one after the other, and what goes wrong in one is one error here.

They are started anew, not forked: this process may hold threads (Arrow's, ClickHouse's). They end when this one does,
however it ends, for then their pipe does.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from sori.errors import BacktestFailed, ConfigError
from streams.worker.gc_tuning import spare_state

_STOP_S = 5.0


class _Failed(NamedTuple):
    """What a worker sends in the place of a result. `foreseen`: a ConfigError, to be told as it is."""

    told: str
    foreseen: bool


class WorkerPool:
    """Some worker processes. Use `pool`."""

    def __init__(self, links: Sequence[Connection], processes: Sequence[BaseProcess]) -> None:
        self._links = links
        self._processes = processes

    def __len__(self) -> int:
        return len(self._links)

    def map(self, function: Callable[[Any], Any], given: Sequence[Any]) -> list[Any]:
        """Results in order; every worker has one call at a time."""
        results: list[Any] = [None] * len(given)
        rest, doing = iter(range(len(given))), {}
        for worker, at in zip(range(len(self)), rest, strict=False):
            self.send(worker, (_called, (function, given[at])))
            doing[worker] = at
        while doing:
            for worker in self.ready(doing):
                results[doing.pop(worker)] = self.take(worker)
                if (following := next(rest, None)) is not None:
                    self.send(worker, (_called, (function, given[following])))
                    doing[worker] = following
        return results

    def start(self, function: Callable[..., None], given: Sequence[tuple[Any, ...]]) -> None:
        """Call it in each worker: with its end of the pipe, to talk through, and with its arguments."""
        for worker, arguments in enumerate(given):
            self.send(worker, (function, arguments))

    def ready(self, workers: Iterable[int]) -> list[int]:
        """Which of these workers have sent something; waits for one."""
        by_link = {self._links[worker]: worker for worker in workers}
        return sorted(by_link[link] for link in wait(list(by_link)))  # type: ignore[index]

    def send(self, worker: int, what: Any) -> None:
        """Give a worker something. Raises BacktestFailed where it is gone."""
        try:
            self._links[worker].send(what)
        except OSError as error:
            raise self._gone(worker) from error

    def take(self, worker: int) -> Any:
        """What a worker sends next. Raises ConfigError or BacktestFailed where that is an error, or it is gone."""
        try:
            found = self._links[worker].recv()
        except (EOFError, OSError) as error:
            raise self._gone(worker) from error
        if isinstance(found, _Failed):
            raise ConfigError(found.told) if found.foreseen else BacktestFailed(found.told)
        return found

    def _gone(self, worker: int) -> BacktestFailed:
        process = self._processes[worker]
        process.join(_STOP_S)
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        return BacktestFailed(f"a process of the backtest {how}; with fewer --processes it needs less memory")


@contextmanager
def pool(count: int) -> Iterator[WorkerPool]:
    """So many worker processes, gone at the end whatever happens."""
    context = get_context("spawn")
    links, processes = [], []
    try:
        with _deaf_births():
            for number in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs,), name=f"backtest-{number}", daemon=True)
                process.start()
                theirs.close()
                links.append(ours)
                processes.append(process)
        yield WorkerPool(links, processes)
    finally:
        for link in links:
            link.close()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_STOP_S)
            if process.is_alive():
                process.kill()


@contextmanager
def _deaf_births() -> Iterator[None]:
    """Ctrl-C reaches workers too, but it is this process that ends them: they are born deaf to it, we hear it after."""
    came: list[int] = []
    resource_tracker.ensure_running()  # its start would unblock the signal
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _work(link: Connection) -> None:
    """The life of a worker."""
    spare_state()
    try:
        while True:
            function, arguments = link.recv()
            try:
                function(link, *arguments)
            except ConfigError as error:
                link.send(_Failed(str(error), foreseen=True))
            except Exception as error:  # noqa: BLE001 - told to the process that asked
                link.send(_Failed(_where(error), foreseen=False))
    except (EOFError, OSError):
        return  # nobody is there any more


def _called(link: Connection, function: Callable[[Any], Any], given: Any) -> None:
    link.send(function(given))


def _where(error: Exception) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = "" if at is None else f" ({at.tb_frame.f_code.co_filename}:{at.tb_lineno})"
    return f"a process of the backtest failed: {type(error).__name__}: {error}{place}; --processes 1 tells more"
