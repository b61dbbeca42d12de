"""The benchmark's table outlives a reading that takes too long."""

import argparse

from benchmarks.long_document import in_a_process


def test_a_slow_reading_is_left_out():
    options = argparse.Namespace(threads=1, dtype="float32", timeout=0.05)
    assert in_a_process("blocks", 512, options, 1) is None
