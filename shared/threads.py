"""One thread for small products: two OpenMP threads on busy cores make them many times slower."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread in this thread of Python alone."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    other = threading.Thread(target=torch.set_num_threads, args=(usual,))
    other.start()  # new threads begin with what was set last, whoever set it
    other.join()
    try:
        yield
    finally:
        torch.set_num_threads(usual)
