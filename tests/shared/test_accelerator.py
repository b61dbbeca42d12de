"""The door to the device: turns on this machine, forks on ZeroGPU, the same code in front of both."""

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import torch

from shared import accelerator
from shared.accelerator import Local, ZeroGPU
from shared.experiment import InputError
from shared.turns import Turns

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def local() -> Local:
    return Local(Turns(1))


def _free(local: Local) -> bool:
    """Whether another thread gets a turn at once."""
    got = threading.Event()

    def ask() -> None:
        with local.turns.turn():
            got.set()

    threading.Thread(target=ask, daemon=True).start()
    return got.wait(2)


def _together(*functions: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_functions_never_overlap(local: Local) -> None:
    inside, most = [], []

    def method(_: int) -> None:
        inside.append(1)
        most.append(len(inside))
        torch.randn(64, 64) @ torch.randn(64, 64)
        inside.pop()

    call = local.wrap(method, duration=1)
    _together(*[lambda: [call(i) for i in range(50)] for _ in range(4)])
    assert most == [1] * 200


def test_live_runs_advance_in_rotation(local: Local) -> None:
    order = []

    def frames(name: str) -> Iterator[str]:
        for _ in range(30):
            order.append(name)
            yield name

    stream = local.wrap(frames, duration=1)
    both_wait = threading.Barrier(3)

    def consume(name: str) -> None:
        both_wait.wait()
        for _ in stream(name):
            pass

    def hold_until_both_stand_in_line() -> None:
        with local.turns.turn():
            both_wait.wait()
            while local.waiting < 2:
                pass

    _together(hold_until_both_stand_in_line, lambda: consume("a"), lambda: consume("b"))
    # A consumer asks again as soon as it has its frame, so neither may ever be two frames ahead of the line.
    lead = [abs(order[:i].count("a") - order[:i].count("b")) for i in range(1, 61)]
    assert len(order) == 60 and sorted(lead)[30] <= 2


def test_generator_holds_no_turn_between_frames(local: Local) -> None:
    stream = local.wrap(lambda: (yield from range(3)), duration=1)
    frames = stream()
    assert next(frames) == 0 and _free(local)
    assert list(frames) == [1, 2] and _free(local)


def test_consumer_who_leaves_closes_the_method(local: Local) -> None:
    closed = []

    def method() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    frames = local.wrap(method, duration=1)()
    next(frames)
    frames.close()
    assert closed and _free(local)


def test_return_value_of_a_generator_survives(local: Local) -> None:
    def method() -> Iterator[int]:
        yield 1
        return "end"

    def outer() -> Iterator[Any]:
        yield (yield from local.wrap(method, duration=1)())

    assert list(outer()) == [1, "end"]


@pytest.mark.parametrize("error", [InputError("steps", "多", "many"), KeyboardInterrupt(), MemoryError()])
def test_exceptions_pass_and_release(local: Local, error: BaseException) -> None:
    def function() -> None:
        raise error

    def generator() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(type(error)):
        local.wrap(function, duration=1)()
    with pytest.raises(type(error)):
        list(local.wrap(generator, duration=1)())
    assert _free(local)


def test_nesting_does_not_deadlock(local: Local) -> None:
    inner = local.wrap(lambda x: x + 1, duration=1)
    inner_frames = local.wrap(lambda: (yield from range(3)), duration=1)
    outer = local.wrap(lambda: inner(0) + sum(inner_frames()), duration=1)

    def frames() -> Iterator[int]:
        for frame in inner_frames():
            yield inner(frame)

    outer_frames = local.wrap(frames, duration=1)
    results = []
    _together(lambda: results.append(outer()), lambda: results.append(list(outer_frames())))
    assert sorted(results, key=str) == [4, [1, 2, 3]] and _free(local)


def test_decorated_function_keeps_its_name_and_signature() -> None:
    @accelerator.run(duration=3)
    def answer(x: int, *, y: int = 2) -> int:
        """The docstring."""
        return x * y

    assert (answer.__name__, answer.__doc__, answer(3, y=5)) == ("answer", "The docstring.", 15)


class Lender:
    """What `spaces.GPU` does, without a Space: notes the duration, and lets data through as pickles only."""

    def __init__(self) -> None:
        self.durations: list[Any] = []

    def __call__(self, *, duration: Any) -> Callable[[Callable], Callable]:
        self.durations.append(duration)
        return self._lend

    def _lend(self, function: Callable) -> Callable:
        def over(data: Any) -> Any:
            return pickle.loads(pickle.dumps(data))

        def call(*args: Any, **kwargs: Any) -> Any:
            return over(function(*over(args), **over(kwargs)))

        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            for frame in function(*over(args), **over(kwargs)):
                yield over(frame)

        return stream if accelerator.isgeneratorfunction(function) else call


def test_zero_gpu_gets_durations_in_whole_seconds() -> None:
    lender = Lender()
    backend = ZeroGPU(lender)
    backend.wrap(lambda: 1, duration=0.5)
    backend.wrap(lambda steps: 1, duration=lambda steps: steps / 10)
    assert lender.durations[0] == 1 and lender.durations[1](steps=25) == 3


def test_zero_gpu_carries_input_errors_home() -> None:
    def function(x: int) -> int:
        if x < 0:
            raise InputError("x", "不能为负。", "must not be negative.")
        return x + 1

    def generator(x: int) -> Iterator[int]:
        yield x
        yield function(-x)

    backend = ZeroGPU(Lender())
    assert backend.wrap(function, duration=1)(1) == 2
    with pytest.raises(InputError, match="x: 不能为负。 / must not be negative."):
        backend.wrap(function, duration=1)(-1)
    frames = backend.wrap(generator, duration=1)(1)
    assert next(frames) == 1
    with pytest.raises(InputError):
        next(frames)


def test_zero_gpu_refuses_what_cannot_travel() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        ZeroGPU(Lender()).wrap(lambda: threading.Lock(), duration=1)()


class Scheduler(BaseHTTPRequestHandler):
    """The local routes that a ZeroGPU Space answers: schedule, allow, release, startup-report."""

    asked: list[tuple[str, dict[str, str]]] = []

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        self.asked.append((url.path, dict(parse_qsl(url.query))))
        lent = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
        body = json.dumps(lent).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


# A CPU build of torch lacks three names that the package patches; the worker's move to CUDA is left out.
ON_A_SPACE = """
import json, os, torch
torch.version.cuda, torch._C._cuda_init, torch.cuda._is_in_bad_fork = "13.0", print, bool
import spaces, spaces.zero.torch
spaces.zero.torch.init = spaces.zero.torch.move = lambda *_, **__: None
import gradio
from shared import accelerator
from shared.experiment import InputError
memory = []

@accelerator.run(duration=2.5)
def remember(x):
    if x < 0:
        raise InputError("x", "负", "negative")
    memory.append(x)
    return os.getpid(), len(memory), str(accelerator.device())

@accelerator.run(duration=lambda n: n / 2)
def count(n):
    for i in range(n):
        yield remember(i)

def message(call):
    try:
        call()
    except InputError as error:
        return str(error)

long = count(100)
first = next(long)
long.close()
answer = dict(
    pid=os.getpid(), backend=accelerator.describe()["backend"], home=str(accelerator.home()),
    called=[remember(1), remember(2)], frames=list(count(3)), first=first,
    refused=message(lambda: remember(-1)), left=len(memory),
)
with gradio.Blocks() as page:
    gradio.Button().click(lambda: remember(3))
page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
page.close()
print("ANSWER", json.dumps(answer))
"""


@pytest.mark.slow
def test_real_package_forks_on_a_simulated_space() -> None:
    pytest.importorskip("spaces.zero", reason="the PyPI package `spaces` is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {
        "SYSTEM": "spaces",
        "SPACE_ID": "somebody/something",
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-c", ON_A_SPACE]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=300)
    server.shutdown()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.partition("ANSWER ")[2])
    assert (answer["backend"], answer["home"], answer["refused"]) == ("zerogpu", "cpu", "x: 负 / negative")
    # Each call is a fork: another process, which saw one entry in its memory; the parent saw none.
    assert all(pid != answer["pid"] and seen == 1 for pid, seen, _ in answer["called"])
    assert answer["left"] == 0
    assert [seen for _, seen, _ in answer["frames"]] == [1, 2, 3] and answer["first"][1:] == [1, "cuda"]
    durations = [query["durationSeconds"] for path, query in Scheduler.asked if path == "/schedule"]
    assert durations == ["50", "3", "3", "2", "3"] and ("/startup-report", {}) in Scheduler.asked


def test_this_machine_is_described() -> None:
    facts = accelerator.describe()
    assert facts["device"] == accelerator.device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert facts["memory"] > 2**28 and facts["threads"] >= 1 and facts["name"] and facts["waiting"] == 0
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.skipif(torch.cuda.is_available(), reason="the types of a CPU")
def test_types_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accelerator.dtype() == torch.float32
    monkeypatch.setattr(accelerator, "_cpuinfo", lambda field: "fpu avx2")
    assert accelerator.autocast_dtype() is None
    monkeypatch.setattr(accelerator, "_cpuinfo", lambda field: "fpu avx2 amx_bf16")
    assert accelerator.autocast_dtype() == torch.bfloat16


@pytest.mark.parametrize(
    "capability, weights, fast", [((9, 0), "bfloat16", "bfloat16"), ((7, 5), "float16", "None")]
)
def test_types_on_cuda(monkeypatch: pytest.MonkeyPatch, capability: tuple, weights: str, fast: str) -> None:
    monkeypatch.setattr(accelerator, "device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    assert str(accelerator.dtype()).endswith(weights) and str(accelerator.autocast_dtype()).endswith(fast)


@pytest.mark.parametrize("files, expected", [
    ({"cpu.max": "150000 100000", "memory.max": "2000000000"}, (1, 2_000_000_000)),
    ({"cpu.max": "max 100000", "memory.max": "max"}, (None, None)),
    ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, (1, None)),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, (None, None)),
])
def test_limits_of_a_container(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: tuple[int | None, int | None]
) -> None:
    def limit(unified: str, *legacy: str) -> list[str] | None:
        found = [files[name] for name in ((unified,) if unified in files else legacy) if name in files]
        return " ".join(found).split() or None

    monkeypatch.setattr(accelerator, "_cgroup", lambda *_: None)
    unlimited = (accelerator.cores(), accelerator.memory())
    monkeypatch.setattr(accelerator, "_cgroup", limit)
    found = (accelerator.cores(), accelerator.memory())
    if not torch.cuda.is_available():
        assert found == tuple(want or free for want, free in zip(expected, unlimited, strict=True))


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert accelerator.threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(accelerator, "cores", lambda: 64)
    assert accelerator.threads() == 8
