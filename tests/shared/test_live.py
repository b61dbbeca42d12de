import copy
import threading
import time

import pytest

from shared.live import DELIVERY, LONGEST, Latest, LiveRun, watched


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


def test_watched_work_tells_how_far_it_is_and_returns():
    def work(report):
        for share in (0.25, 0.5, 0.75):
            report(share)
            time.sleep(0.7)
        return "done"

    seen = list(watched(work))
    assert seen[-1] == (1.0, "done")
    shares = [share for share, _ in seen]
    assert shares == sorted(shares) and 0.25 in shares and 0.75 in shares
    assert list(watched(lambda report: 3)) == [(1.0, 3)]


def test_watched_work_ends_when_nobody_waits():
    ended = threading.Event()

    def work(report):
        try:
            while True:
                report(0.1)
                time.sleep(0.01)
        finally:
            ended.set()

    watching = watched(work)
    next(watching)
    watching.close()
    assert ended.wait(1)


def test_watched_work_fails_with_its_own_error():
    def work(report):
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        list(watched(work))


def test_a_result_on_its_way_arrives_before_the_newer_run_begins():
    latest, said = Latest(), []
    older = latest.only(iter_of("older", 3))
    next(older)
    newer = threading.Thread(target=lambda: said.extend(latest.only(iter_of("newer", 1))))
    newer.start()
    newer.join(0.3)
    assert newer.is_alive() and not said  # waits for the older one's result to be delivered
    assert list(older) == []
    newer.join(DELIVERY / 2)
    assert said == ["newer"]


def test_a_run_that_nobody_reads_on_is_waited_for_once():
    latest = Latest()
    gone = latest.only(iter_of("gone", 3))
    next(gone)
    assert list(latest.only(iter_of("newer", 1))) == ["newer"]
    began = time.monotonic()
    assert list(latest.only(iter_of("third", 1))) == ["third"] and list(gone) == []
    assert time.monotonic() - began < DELIVERY / 2


def iter_of(name, times):
    """A generator of so many results."""
    yield from [name] * times


def test_a_newer_run_ends_the_older_ones():
    ended, latest = [], Latest()

    def count(name):
        try:
            yield from range(10)
        finally:
            ended.append(name)

    first = latest.only(count("first"))
    assert [next(first), next(first)] == [0, 1]
    second = latest.only(count("second"))
    assert next(second) == 0
    assert list(first) == [] and ended == ["first"]
    assert list(second) == list(range(1, 10))
