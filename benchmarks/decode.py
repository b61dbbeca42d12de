"""Tokens a second of the chat's engines, side by side with others and with the memory's bound: one run, one table.

    python -m benchmarks.decode                       # two threads, the default's size, random weights
    pip install ctranslate2==4.8.5                    # peers that nothing else needs; left out where they are missing
    pip install llama-cpp-python==0.3.36 gguf==0.19.0 # compiles for this machine: minutes, and a C++ compiler
    python -m benchmarks.decode --device cuda --size cpm --dtype float16

    generate      transformers' generate as it comes: batch 1, greedy
    ours, int8    spaces.chat.decode and spaces.chat.int8; with n-grams: as the default answers, its counts mixed in
    ctranslate2   4.8 in float32 and int8, the weights converted in this run
    llama.cpp     0.3.36 of its binding, the same way in float32 (keys and values too) and Q8_0
    bound         the bytes of the weights that a token reads, divided by the bandwidth of reading that many at once

Each runs in its own process; all take turns, some tokens each after the same four-token prompt, so that a busy machine
slows all of them alike. Given are the best turn of each, as if nobody disturbed it, and the medians of all turns. int8
reads a quarter of the bytes.
Then how soon the default, loaded, says its first token; and eight visitors at once through spaces.chat.batching,
one of them with a prompt of 900 tokens: each one's pace, the time to the first token, the longest wait between two.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from transformers import GPT2Config, GPT2LMHeadModel

from shared import accelerator
from spaces.chat import products
from spaces.chat.batching import Batch
from spaces.chat.decode import Decoder
from spaces.chat.int8 import Int8Decoder
from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.ngrams import NGrams, WithCounts
from spaces.chat.sampling import Sampling
from spaces.chat.voices import find

PROMPT = [70, 71, 72, 73]
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


def llama_cpp(model: GPT2LMHeadModel, prompt: list[int], kind: str, threads: int) -> Variant:
    import gguf
    from llama_cpp import Llama

    config, file = model.config, Path(tempfile.mkdtemp()) / "model.gguf"
    writer = gguf.GGUFWriter(file, "gpt2")
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, config.n_layer)
    for name, weight in model.named_parameters():
        dense = any(part in name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        values = (weight.t() if dense else weight).detach().contiguous().numpy()  # GPT-2 keeps (in, out)
        wanted = gguf.GGMLQuantizationType.Q8_0 if kind == "Q8_0" and (dense or "wte" in name) else None
        values = gguf.quants.quantize(values, wanted) if wanted else values
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), values, raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    llama = Llama(
        str(file),
        n_ctx=config.n_positions,
        n_threads=threads,
        n_threads_batch=threads,
        type_k=0,
        type_v=0,
        verbose=False,
    )

    def run(number: int) -> list[int]:
        llama.reset()
        return list(islice(llama.generate(prompt, top_k=1, temp=0.0, repeat_penalty=1.0), number))

    return run


def bytes_per_token(model: GPT2LMHeadModel, item: int) -> int:
    """Of the weights that a token reads: all but the positions, the tied table once, as the output matrix."""
    return (sum(p.numel() for p in model.parameters()) - model.transformer.wpe.weight.numel()) * item


def bound(model: GPT2LMHeadModel) -> Variant:
    """Reading a token's weights as one vector, by torch's own sum."""
    size = bytes_per_token(model, model.dtype.itemsize) // 4
    weights = torch.ones(size, dtype=torch.float32, device=model.device)
    return lambda number: [int(weights.sum()) for _ in range(number)]


MAKERS: dict[str, Callable[[GPT2LMHeadModel, int], Variant]] = {
    "generate": lambda model, threads: generate(model, PROMPT),
    "ours": lambda model, threads: ours(Decoder(model), PROMPT),
    "ours, with n-grams": lambda model, threads: ours(WithCounts(Decoder(model), NGrams.load(WEIGHTS)), PROMPT),
    "int8 (ours)": lambda model, threads: ours(Int8Decoder(model), PROMPT),
    "ctranslate2 float32": lambda model, threads: ctranslate2(model, PROMPT, "float32", threads),
    "ctranslate2 int8": lambda model, threads: ctranslate2(model, PROMPT, "int8", threads),
    "llama.cpp float32": lambda model, threads: llama_cpp(model, PROMPT, "F32", threads),
    "llama.cpp Q8_0": lambda model, threads: llama_cpp(model, PROMPT, "Q8_0", threads),
}


def timed(run: Variant, number: int) -> tuple[float, list[int]]:
    """Seconds a token, and the tokens."""
    began = time.perf_counter()
    tokens = run(number)
    return (time.perf_counter() - began) / number, tokens


def serve(pipe: Connection, name: str, options: argparse.Namespace) -> None:
    """A variant in a process of its own, where no other library's threads spin: counts in, times out."""
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads, user_api="blas"):
        try:
            run = MAKERS[name](model_of(options.size, getattr(torch, options.dtype), options.device), options.threads)
        except ImportError as reason:
            pipe.send(str(reason))
            return
        pipe.send("")
        while number := pipe.recv():
            pipe.send(timed(run, number))


def start(name: str, options: argparse.Namespace) -> Connection | None:
    """The pipe to a variant's process, or None and a line where its library is missing."""
    mine, its = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(its, name, options), daemon=True).start()
    if reason := mine.recv():
        print(f"{name} is left out: {reason}")
        return None
    return mine


def race(options: argparse.Namespace, read: Variant) -> dict[str, list[float]]:
    """Seconds a token, turn by turn; "bound" among them."""
    names = MAKERS if options.device == "cpu" else ("generate", "ours")
    pipes = {name: pipe for name in names if (pipe := start(name, options))}
    times: dict[str, list[float]] = {name: [] for name in (*pipes, "bound")}
    for turn in range(options.rounds + 1):  # the first one warms up, and shows the tokens
        said = {}
        for name, pipe in pipes.items():
            pipe.send(options.tokens)
            seconds, said[name] = pipe.recv()
            times[name].append(seconds)
        times["bound"].append(timed(read, options.tokens)[0])
        if not turn:
            for name, tokens in said.items():
                same = sum(a == b for a, b in zip(tokens, said["generate"], strict=True))
                print(f"{name}: {same} of {len(tokens)} tokens as generate")
    for pipe in pipes.values():
        pipe.send(0)
    return {name: seconds[1:] for name, seconds in times.items()}


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


def first_token(options: argparse.Namespace) -> None:
    """Print how long the default takes from a visitor's button to its first token, from the name to the text."""
    torch.set_num_threads(options.threads)
    find("")
    for what, text in (("a line", "法国 巴黎\n中国 "), ("900 characters", "明月几时有，把酒问青天。" * 75)):
        times = []
        for seed in range(20):
            began = time.perf_counter()
            voice = find("")
            next(voice.go_on(voice.read(text, 16).ids, Sampling(max_new_tokens=16, seed=seed)))
            times.append(1000 * (time.perf_counter() - began))
        print(f"The default's first token after {what}: {statistics.median(times):.0f} ms, at most {max(times):.0f}")


def visitors(kind: type[Decoder], options: argparse.Namespace, tokens: int = 100) -> None:
    """Print how some visitors fare at once, one of them with a prompt of 900 tokens, and one alone."""
    torch.set_num_threads(options.threads)
    engine = kind(model_of(options.size, torch.float32, "cpu"))
    for crowd in (1, options.visitors):
        batch, times = Batch(engine), [[] for _ in range(crowd)]

        def visit(i: int, batch: Batch = batch, times: list[list[float]] = times) -> None:
            prompt = torch.randint(8, 7000, (900 if i == 7 else len(PROMPT),)).tolist()
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
        print(
            f"{kind.__name__}, {crowd} at once: "
            f"{min(pace):.0f} to {max(pace):.0f} tokens/s each, {sum(pace):.0f} together; first token "
            f"after {min(short):.0f} to {max(short):.0f} ms (900 tokens: {max(first):.0f}); "
            f"longest wait {1000 * gap:.0f} ms"
        )


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
    model = model_of(options.size, getattr(torch, options.dtype), options.device)
    times = race(options, bound(model))
    size = bytes_per_token(model, model.dtype.itemsize)
    bandwidth = size / min(times["bound"]) / 1e9
    print(f"{options.threads} threads, {size / 1e6:.1f} MB a token, {bandwidth:.1f} GB/s at best")
    print(table(times))
    if options.visitors and options.device == "cpu":
        first_token(options)
        for kind in (Decoder, Int8Decoder):
            process = multiprocessing.get_context("spawn").Process(target=visitors, args=(kind, options))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
