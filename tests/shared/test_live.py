import copy
import threading
import time

from shared.live import LONGEST, LiveRun


class Count(LiveRun):
    """Counts to a goal, one step a millisecond."""

    started = True
    goal = 2000
    step = 0

    def _advance(self, steps: int) -> None:
        time.sleep(steps / 1000)
        self.step += steps


def test_it_goes_to_its_goal_in_growing_slices():
    run, seen = Count(), []
    for _ in run.run():
        assert run.running
        seen.append(run.step)
    assert seen[:4] == [1, 3, 7, 15] and seen[-1] == 2000 and run.done and not run.running
    slices = [b - a for a, b in zip(seen, seen[1:], strict=False)]
    assert max(slices) <= 300  # about SLICE seconds
    assert list(run.run()) == []


def test_pause_keeps_what_there_is_and_it_goes_on():
    run = Count()
    for _ in run.run():
        if run.step > 5:
            run.pause()
    paused = run.step
    assert 5 < paused < 2000 and not run.running
    for _ in run.run():
        pass
    assert run.step == 2000


def test_a_second_start_takes_over():
    run = Count()
    first = run.run()
    next(first)
    second = run.run()
    next(second)
    assert list(first) == [] and next(second) is None


def test_it_ends_in_bounded_time_and_copies_are_fresh():
    run = Count()
    run.seconds = LONGEST + 1
    assert run.done
    other = copy.deepcopy(run)
    assert other.seconds == 0 and isinstance(other.lock, type(threading.Lock())) and other.lock is not run.lock
