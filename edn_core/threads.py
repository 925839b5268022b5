"""Work that is spread over some threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def in_order(work: Callable[[Item], Done], items: Iterable[Item], threads: int) -> Iterator[Done]:
    """What ``work`` makes of each item, in the order of the items, by a pool of threads.

    Items are taken in the caller's thread, when results are asked for, and at most twice as many as
    there are threads lie between the one taken last and the result given last: memory is bounded,
    and only work that lets go of the interpreter (NumPy, OpenCV, files, torch) gains. What an item
    or its work raises ends it in its turn; what was not begun by then is left out.
    """
    waiting: deque[Future[Done]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
