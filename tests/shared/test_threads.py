from concurrent.futures import ThreadPoolExecutor

import torch

from shared.threads import one_thread


def test_one_thread_is_for_this_thread_alone():
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread(), ThreadPoolExecutor() as others:
            assert torch.get_num_threads() == 1
            assert others.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)
