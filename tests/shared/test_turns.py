"""Turns: one holder at a time, in the order of asking, whatever the holder does."""

import threading
import time

import pytest

from shared.turns import Turns


def _until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _line_up(turns: Turns, names: str, served: list[str]) -> list[threading.Thread]:
    """One thread for each name, each in the line before the next one starts."""
    threads = []
    for place, name in enumerate(names, 1):

        def serve(name: str = name) -> None:
            with turns.turn():
                served.append(name)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        _until(lambda place=place: turns.waiting == place)
    return threads


def test_served_in_the_order_of_asking() -> None:
    turns, served = Turns(), []
    with turns.turn():
        threads = _line_up(turns, "abcdefgh", served)
        assert served == []
    for thread in threads:
        thread.join(10)
    assert "".join(served) == "abcdefgh" and turns.waiting == 0


def test_never_more_holders_than_places() -> None:
    turns, inside, most, lock = Turns(2), [], [], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with turns.turn():
                with lock:
                    inside.append(1)
                    most.append(len(inside))
                time.sleep(0.0005)
                with lock:
                    inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 100 and max(most) == 2


def test_holder_who_asks_again_does_not_wait_for_itself() -> None:
    turns = Turns()
    with turns.turn(), turns.turn():
        assert turns.waiting == 0
    with turns.turn():  # the inner exit must not have freed the place twice
        thread = threading.Thread(target=lambda: turns.turn().__enter__())
        thread.start()
        _until(lambda: turns.waiting == 1)
    thread.join(10)


def test_exception_passes_the_place_on() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn():
        1 / 0  # noqa: B018
    with turns.turn():
        assert turns.waiting == 0


def test_interrupted_waiter_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, served = Turns(), []

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.turn():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)
    with monkeypatch.context() as patch:
        patch.setattr("shared.turns.threading.Event", Interrupted)
        with pytest.raises(KeyboardInterrupt), turns.turn():
            served.append("never")
    assert turns.waiting == 0 and not served
    leave.set()
    holder.join(10)
    with turns.turn():
        pass
