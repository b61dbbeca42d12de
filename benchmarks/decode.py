"""Tokens a second of the chat's engines, side by side with others and with the memory's bound: one run, one table.

    python -m benchmarks.decode                       # two threads, the default's size, random weights
    pip install ctranslate2==4.8.5                    # a peer that nothing else needs; left out where it is missing
    python -m benchmarks.decode --device cuda --size cpm --dtype float16

    generate      transformers' generate as it comes: batch 1, greedy
    ours, int8    spaces.chat.decode and spaces.chat.int8
    ctranslate2   4.8 in float32 and int8, the weights converted in this run
    bound         the bytes of the weights that a token reads, divided by the bandwidth of reading that many at once

All take turns, some tokens each after the same four-token prompt, so that a busy machine slows all of them alike; given
are the best turn of each, as if nobody disturbed it, and the medians of all turns. int8 reads a quarter of the bytes.
Then eight visitors at once through spaces.chat.batching, one of them with a prompt of 900 tokens: each one's pace, the
time to the first token, the longest wait between two.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from transformers import GPT2Config, GPT2LMHeadModel

from shared import accelerator
from spaces.chat import products
from spaces.chat.batching import Batch
from spaces.chat.decode import Decoder
from spaces.chat.int8 import Int8Decoder
from spaces.chat.model import configuration
from spaces.chat.sampling import Sampling

PROMPT = 4
Variant = Callable[[int], list[int]]  # number of tokens → tokens, after the same prompt


def model_of(size: str, dtype: torch.dtype, device: str) -> GPT2LMHeadModel:
    """Random weights; "default" or "cpm"."""
    torch.manual_seed(0)
    config = configuration(8000, 7)
    if size == "cpm":
        config = GPT2Config(vocab_size=30_000, n_embd=2560, n_layer=32, n_head=32, bos_token_id=7, eos_token_id=7)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return GPT2LMHeadModel(config).eval()
    finally:
        torch.set_default_dtype(before)


def generate(model: GPT2LMHeadModel, prompt: list[int]) -> Variant:
    def run(number: int) -> list[int]:
        ids = torch.tensor([prompt], device=model.device)
        out = model.generate(ids, max_new_tokens=number, do_sample=False, pad_token_id=7, eos_token_id=None)
        return out[0, len(prompt) :].tolist()

    return run


def ours(engine: Decoder, prompt: list[int]) -> Variant:
    cache, hand = engine.cache(), products.hand()

    def say(number: int) -> list[int]:
        cache.keep(0)
        tokens = [int(engine.read(prompt, cache)[0].argmax())]
        while len(tokens) < number:
            step = partial(engine.step, tokens[-1:], [cache])
            tokens.append(int((engine.pace.run(step) if engine.pace else step())[0].argmax()))
        return tokens

    return lambda number: hand.submit(say, number).result()


def ctranslate2(model: GPT2LMHeadModel, prompt: list[int], kind: str, threads: int) -> Variant:
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    names = [f"t{i}" for i in range(model.config.vocab_size)]
    folder = Path(tempfile.mkdtemp())
    spec = GPT2Loader().get_model_spec(model)
    spec.register_vocabulary(names)
    spec.config.unk_token = spec.config.bos_token = spec.config.eos_token = "t7"
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(folder))
    generator = ctranslate2.Generator(str(folder), compute_type=kind, intra_threads=threads)

    def run(number: int) -> list[int]:
        out = generator.generate_batch(
            [[names[i] for i in prompt]], max_length=number, min_length=number, sampling_topk=1,
            include_prompt_in_result=False,
        )  # fmt: skip
        return out[0].sequences_ids[0]

    return run


def bytes_per_token(model: GPT2LMHeadModel, item: int) -> int:
    """Of the weights that a token reads: all but the positions, the tied table once, as the output matrix."""
    return (sum(p.numel() for p in model.parameters()) - model.transformer.wpe.weight.numel()) * item


def bound(model: GPT2LMHeadModel) -> Callable[[], float]:
    """Seconds of reading a token's weights as one vector, by torch's own sum."""
    size = bytes_per_token(model, model.dtype.itemsize) // 4
    weights = torch.ones(size, dtype=torch.float32, device=model.device)

    def read() -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            weights.sum().item()
            times.append(time.perf_counter() - began)
        return min(times)

    return read


def variants(model: GPT2LMHeadModel, prompt: list[int], threads: int) -> dict[str, Variant]:
    """Those that can run here; a line says which cannot."""
    made = {"generate": generate(model, prompt), "ours": ours(Decoder(model), prompt)}
    if model.device.type == "cuda":
        return made
    makers = {
        "int8 (ours)": lambda: ours(Int8Decoder(model), prompt),
        "ctranslate2 float32": lambda: ctranslate2(model, prompt, "float32", threads),
        "ctranslate2 int8": lambda: ctranslate2(model, prompt, "int8", threads),
    }
    for name, make in makers.items():
        try:
            made[name] = make()
        except ImportError as reason:
            print(f"{name} is left out: {reason}")
    return made


def race(made: dict[str, Variant], read: Callable[[], float], rounds: int, number: int) -> dict[str, list[float]]:
    """Seconds a token, round by round; "bound" among them."""
    times: dict[str, list[float]] = {name: [] for name in (*made, "bound")}
    for _ in range(rounds):
        times["bound"].append(read())
        for name, run in made.items():
            began = time.perf_counter()
            run(number)
            times[name].append((time.perf_counter() - began) / number)
    return times


def table(times: dict[str, list[float]]) -> str:
    """Tokens a second and ratios, of the best turns and of the medians."""
    rows = ["| variant | tokens/s | × generate | of the bound | median | × generate |", "| --- " * 6 + "|"]
    best = {name: 1 / min(seconds) for name, seconds in times.items()}
    median = {name: 1 / statistics.median(seconds) for name, seconds in times.items()}
    for name in times:
        rows.append(
            f"| {name} | {best[name]:.0f} | {best[name] / best['generate']:.2f} | {best[name] / best['bound']:.0%} "
            f"| {median[name]:.0f} | {median[name] / median['generate']:.2f} |"
        )
    return "\n".join(rows)


def visitors(engine: Decoder, number: int, tokens: int) -> str:
    """`number` visitors at once, one of them with a prompt of 900 tokens, against one alone; one line each."""
    lines = []
    for crowd in (1, number):
        batch, times = Batch(engine), [[] for _ in range(crowd)]

        def visit(i: int, batch: Batch = batch, times: list[list[float]] = times) -> None:
            prompt = torch.randint(8, 7000, (900 if i == 7 else PROMPT,)).tolist()
            times[i].append(time.perf_counter())
            for _ in batch.tokens(prompt, Sampling(top_k=50, max_new_tokens=tokens, seed=i), -1):
                times[i].append(time.perf_counter())

        threads = [threading.Thread(target=visit, args=(i,)) for i in range(crowd)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        pace = [tokens / (t[-1] - t[0]) for t in times]
        first = [1000 * (t[1] - t[0]) for t in times]
        gap = max(b - a for t in times for a, b in zip(t[1:], t[2:], strict=False))
        short = first[: crowd - (crowd > 7)]
        lines.append(
            f"{crowd} at once: {min(pace):.0f} to {max(pace):.0f} tokens/s each, {sum(pace):.0f} together; first token "
            f"after {min(short):.0f} to {max(short):.0f} ms (900 tokens: {max(first):.0f}); "
            f"longest wait {1000 * gap:.0f} ms"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("default", "cpm"), default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=min(2, accelerator.cores()))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tokens", type=int, default=30)
    parser.add_argument("--visitors", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    limits = threadpool_limits(options.threads, user_api="blas")  # numpy's
    model = model_of(options.size, getattr(torch, options.dtype), options.device)
    prompt = torch.randint(8, 7000, (PROMPT,)).tolist()
    made = variants(model, prompt, options.threads)
    said = {name: run(options.tokens) for name, run in made.items()}  # the warm-up, and the proof
    for name, tokens in said.items():
        print(
            f"{name}: {sum(a == b for a, b in zip(tokens, said['generate'], strict=True))} of {len(tokens)} as generate"
        )
    times = race(made, bound(model), options.rounds, options.tokens)
    size = bytes_per_token(model, model.dtype.itemsize)
    print(
        f"{options.threads} threads, {size / 1e6:.1f} MB a token, {size / min(times['bound']) / 1e9:.1f} GB/s at best"
    )
    print(table(times))
    if options.visitors and options.device == "cpu":
        print(visitors(Decoder(model), options.visitors, 100))
        print("int8 " + visitors(Int8Decoder(model), options.visitors, 100).replace("\n", "\nint8 "))
    limits.restore_original_limits()


if __name__ == "__main__":
    main()
