"""As many threads as a job was given, in every library that would take all processors otherwise."""

import os
import sys


def use_threads(threads: int) -> None:
    """Hold OpenCV and, where it is loaded, torch to a number of threads.

    OpenCV heeds no OMP_NUM_THREADS: on a node of 64 processors a job that asked for one would start
    64 threads, and where memory is too short for one of them it waits for it for ever.

    Args:
        threads: at least 1; processes that are started afterwards inherit it.
    """
    import cv2

    os.environ["OPENCV_FOR_THREADS_NUM"] = str(threads)
    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
