"""Reading long documents: time and memory of each way, side by side in one run, each length in a process of its own.

    python -m benchmarks.long_document [--lengths 512,2048,8192,32768] [--threads 2] [--dtype float32]
    python -m benchmarks.long_document --lengths 65536,262144 --one-layer     one layer alone, the whole extrapolated
    python -m benchmarks.long_document --crossover                             attention alone: where linear ones win

Ours reads block by block (exact), plain transformers reads with its own SDPA and with eager attention, a pipeline reads
windows of 512 tokens. Weights are random, of the embedded default's shape: time does not depend on them.
Peak memory is the growth of the process above the model. Ratios are of CPU seconds: a busy machine disturbs them less.
Ways that would not fit are left out and said so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import torch

WAYS = ("sdpa", "blocks", "eager", "sliding", "performer-256", "performer-64", "taylor")
EAGER_BYTES = 3 * 2**30  # of n × n scores and probabilities, beyond which eager attention is left out
EXACT = ("blocks", "sdpa", "eager")


def build(dtype: torch.dtype, layers: int, attention: str):
    """The default's encoder at random weights, its positions long enough."""
    from transformers import BertForSequenceClassification

    from shared.attention import register
    from spaces.long_document.e5 import e5_config
    from spaces.long_document.positions import extend_positions

    register()
    config = e5_config(layers=layers)
    config.num_labels = 19
    torch.manual_seed(0)
    model = BertForSequenceClassification(config).to(dtype).eval()
    model.set_attn_implementation(attention)
    return extend_positions(model)


def perform(model, ids: torch.Tensor, way: str) -> None:
    """One reading."""
    from spaces.long_document.blockwise import read
    from spaces.long_document.readings import windows

    if way == "sliding":
        for part in windows(ids, 256):
            list(read(model, part))
    elif way in ("sdpa", "eager"):
        with torch.inference_mode():
            model(ids)
    else:
        list(read(model, ids, "auto" if way == "blocks" else way.split("-")[0]))


def measure(way: str, length: int, threads: int, dtype: str, layers: int) -> dict:
    """{"seconds", "cpu", "peak_mb"} of one reading, after a short one to warm up; to be called in a fresh process."""
    from spaces.long_document.readings import Meter

    torch.set_num_threads(threads)
    model = build(getattr(torch, dtype), layers, way if way in ("sdpa", "eager") else "xformers")
    if way.startswith("performer"):
        model.config.performer_features = {"count": int(way.split("-")[1])}
    ids = torch.randint(5, 25_000, (1, length), generator=torch.Generator().manual_seed(0))
    perform(model, ids[:, :512], way)
    began = time.process_time()
    with Meter(torch.device("cpu")) as meter:
        perform(model, ids, way)
    return {"seconds": meter.seconds, "cpu": time.process_time() - began, "peak_mb": meter.peak_mb}


def in_a_process(way: str, length: int, options: argparse.Namespace, layers: int) -> dict | None:
    """`measure` in a process of its own; None where it ended badly or took too long."""
    call = [way, length, options.threads, options.dtype, layers]
    code = f"import spaces, json; from benchmarks.long_document import measure; print(json.dumps(measure(*{call!r})))"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=options.timeout)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def fits(way: str, length: int) -> bool:
    """Whether eager attention's n × n tensors do."""
    return way != "eager" or 2 * 12 * 4 * length**2 <= EAGER_BYTES


def table(options: argparse.Namespace) -> list[dict]:
    """A row a length and way; with --one-layer the seconds of all layers are extrapolated from two runs."""
    rows = []
    print(f"{options.threads} threads, {options.dtype}")
    print(f"{'tokens':>8} {'way':<14} {'seconds':>9} {'CPU s':>8} {'peak MB':>8} {'/ sdpa':>7}")
    for length in options.lengths:
        base = None
        for way in options.ways:
            found = one(way, length, options) if fits(way, length) else None
            if found is None:
                print(f"{length:>8} {way:<14} {'—':>9}")
                continue
            base = found["cpu"] if way == "sdpa" else base
            ratio = f"{found['cpu'] / base:7.2f}" if base and way in EXACT else ""
            print(
                f"{length:>8} {way:<14} {found['seconds']:>9.2f} {found['cpu']:>8.2f} {found['peak_mb']:>8.0f} {ratio}",
                flush=True,
            )
            rows.append({"tokens": length, "way": way} | found)
    return rows


def one(way: str, length: int, options: argparse.Namespace) -> dict | None:
    """One row; two layers against one give a layer's cost where the whole would take too long."""
    if not options.one_layer:
        return in_a_process(way, length, options, options.layers)
    single, double = (in_a_process(way, length, options, layers) for layers in (2, 3))
    if not single or not double:
        return None
    times = {}
    for name in ("seconds", "cpu"):
        each = double[name] - single[name]  # the last layer asks one query only: it cancels
        times[name] = single[name] + (options.layers - 2) * each
    return times | {"peak_mb": double["peak_mb"], "extrapolated": True}


def crossover(options: argparse.Namespace) -> None:
    """Milliseconds of attention alone, 4 heads × 64 and 12 heads × 32."""
    from shared.attention import attention
    from shared.random_features import Features

    torch.set_num_threads(options.threads)
    dtype = getattr(torch, options.dtype)
    for heads, dim in ((4, 64), (12, 32)):
        print(f"{heads} heads × {dim}: tokens, sdpa, performer 256, taylor (ms)")
        for length in options.lengths:
            q, k, v = torch.randn(3, 1, heads, length, dim).to(dtype)
            times = []
            for way in ("sdpa", "performer", "taylor"):
                extra = {"features": Features()} if way == "performer" else {}
                with torch.inference_mode():
                    attention(q[:, :, :64], k[:, :, :64], v[:, :, :64], backend=way, **extra)
                    began = time.perf_counter()
                    attention(q, k, v, backend=way, **extra)
                times.append(1000 * (time.perf_counter() - began))
            print(f"{length:>8}", *(f"{t:10.1f}" for t in times), flush=True)


def main(argv: list[str] | None = None) -> None:
    """Print the table; --json keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--lengths", type=numbers, default=[512, 2048, 8192, 32_768])
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=5, help="the default's: four of the encoder and the pooling one")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--timeout", type=float, default=7200, help="seconds a reading may take")
    parser.add_argument("--one-layer", action="store_true")
    parser.add_argument("--crossover", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args(argv)
    if options.crossover:
        crossover(options)
        return
    rows = table(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
