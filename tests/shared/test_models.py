"""Loading models: once, within a limit, from where it says, and never from a pickle."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import transformers
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file

from shared import accelerator, checkpoint, models
from shared.experiment import InputError
from shared.models import Shelf
from tests.shared.fake_hub import FakeHub

ROOT = Path(__file__).resolve().parents[2]
GPT2 = {"vocab_size": 40, "n_positions": 16, "n_embd": 8, "n_layer": 2, "n_head": 2}
# Tokens and positions, two blocks (four matrices, four biases, two norms), the last norm; the head is tied.
GPT2_PARAMETERS = 40 * 8 + 16 * 8 + 2 * (8 * 24 + 24 + 8 * 8 + 8 + 8 * 32 + 32 + 32 * 8 + 8 + 4 * 8) + 16


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 with a tokenizer, in Hugging Face format."""
    folder = tmp_path_factory.mktemp("models") / "gpt2"
    torch.manual_seed(0)
    config = transformers.GPT2Config(**GPT2, bos_token_id=0, eos_token_id=0)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({chr(97 + i): i for i in range(26)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT for masked language modelling, without a tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "bert"
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=40, max_position_embeddings=16, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def private_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "PUBLIC_PAGE", "MODELS_ALLOWED", "MODELS_MEMORY"):
        monkeypatch.delenv(name, raising=False)


def _copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def _refused(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as error:
        call()
    assert error.value.field == "model" and error.value.zh and "\n" not in error.value.en
    return error.value


def test_folder_answers_as_itself(gpt2: Path) -> None:
    loaded = Shelf().load(str(gpt2), attention="sdpa")
    assert (loaded.name, loaded.source, loaded.folder) == (str(gpt2), "folder", gpt2)
    assert loaded.parameters == GPT2_PARAMETERS and loaded.bytes >= 4 * GPT2_PARAMETERS
    tokens = torch.arange(10)[None]
    expected = transformers.GPT2LMHeadModel.from_pretrained(gpt2).eval()(tokens).logits
    torch.testing.assert_close(loaded.model(tokens.to(accelerator.home())).logits.cpu().float(), expected)
    assert not loaded.model.training and loaded.tokenizer("cab")["input_ids"] == [2, 0, 1]
    assert loaded.label()[0].startswith(f"本机模型 {gpt2} · {GPT2_PARAMETERS} 参数")


def test_default_attention_is_the_project_s_own(bert: Path) -> None:
    loaded = Shelf().load(str(bert), "AutoModelForMaskedLM")
    assert loaded.model.config._attn_implementation == "xformers"
    assert "no tokeniser" in _refused(lambda: loaded.tokenizer).en
    tokens = torch.arange(12)[None]
    expected = transformers.BertForMaskedLM.from_pretrained(bert).eval()(tokens).logits
    found = loaded.model(tokens.to(accelerator.home())).logits.cpu().float()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_empty_name_is_the_embedded_default(gpt2: Path) -> None:
    loaded = Shelf().load("  ", embedded=gpt2, attention="sdpa", dtype=torch.bfloat16)
    assert (loaded.source, loaded.name, loaded.dtype) == ("embedded", "gpt2", torch.bfloat16)
    assert loaded.model.dtype == torch.bfloat16 and "内置模型" in loaded.label()[0]
    assert "train it first" in _refused(lambda: Shelf().load("", embedded=gpt2.parent / "none")).en
    assert "give a name" in _refused(lambda: Shelf().load("")).en


def test_loaded_once_and_shared(gpt2: Path) -> None:
    shelf = Shelf()
    first = shelf.load(str(gpt2), attention="sdpa")
    assert shelf.load(str(gpt2), attention="sdpa") is first
    assert shelf.load(str(gpt2), transformers.AutoModelForCausalLM, attention="sdpa") is first
    assert shelf.load(str(gpt2), "AutoModel", attention="sdpa") is not first
    assert shelf.load(str(gpt2), attention="eager") is not first


def test_simultaneous_visitors_load_once(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, start, read = [], threading.Barrier(5), models._read

    def slow(*arguments: object) -> models.Loaded:
        reads.append(threading.get_ident())
        time.sleep(0.3)
        return read(*arguments)

    monkeypatch.setattr(models, "_read", slow)
    shelf, found, heard = Shelf(), [], {}

    def visit() -> None:
        me = threading.get_ident()
        start.wait()

        def progress(fraction: float, zh: str, en: str) -> None:
            heard.setdefault(me, []).append((threading.get_ident(), fraction, zh, en))

        found.append(shelf.load(str(gpt2), attention="sdpa", progress=progress))

    visitors = [threading.Thread(target=visit) for _ in range(5)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(60)
    assert len(reads) == 1 and len(found) == 5 and len({id(loaded) for loaded in found}) == 1
    # Each hears of the progress in his own thread: gradio's progress bar belongs to the thread of its visitor.
    assert len(heard) == 5 and all(news[0] == me for me, told in heard.items() for news in told)
    assert all(told[-1][1:] == (0.8, f"载入 {gpt2}", f"Loading {gpt2}") for told in heard.values())


def test_failure_reaches_all_who_wait_and_is_forgotten(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = models._read

    def broken(*_: object) -> models.Loaded:
        time.sleep(0.3)
        raise MemoryError

    shelf, errors = Shelf(), []

    def visit() -> None:
        try:
            shelf.load(str(gpt2), attention="sdpa")
        except MemoryError as error:
            errors.append(error)

    monkeypatch.setattr(models, "_read", broken)
    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(60)
    assert len(errors) == 3 and not shelf._under_way and not shelf._reserved
    monkeypatch.setattr(models, "_read", read)
    assert shelf.load(str(gpt2), attention="sdpa").parameters == GPT2_PARAMETERS


def test_visitor_who_leaves_does_not_stop_the_load(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = models._read

    def slow(*arguments: object) -> models.Loaded:
        time.sleep(0.3)
        return read(*arguments)

    def leave(*_: object) -> None:
        raise GeneratorExit

    monkeypatch.setattr(models, "_read", slow)
    shelf = Shelf()
    with pytest.raises(GeneratorExit):
        shelf.load(str(gpt2), attention="sdpa", progress=leave)
    assert shelf.load(str(gpt2), attention="sdpa").parameters == GPT2_PARAMETERS


def test_longest_unused_makes_room(gpt2: Path, tmp_path: Path) -> None:
    names = [str(_copy(gpt2, tmp_path / name)) for name in "abc"]
    needed = checkpoint.bytes_needed(gpt2, torch.float32)
    size = Shelf().load(names[0], attention="sdpa", dtype=torch.float32).bytes
    shelf = Shelf(limit=size + needed)
    a, b, c = names

    def load(name: str) -> None:
        shelf.load(name, attention="sdpa", dtype=torch.float32)

    load(a), load(b)
    assert shelf.names() == [a, b]
    load(a)
    load(c)
    assert shelf.names() == [a, c]
    load(b)
    assert shelf.names() == [c, b]


def test_too_big_is_refused_and_evicts_nobody(gpt2: Path, bert: Path) -> None:
    shelf = Shelf(limit=4 * GPT2_PARAMETERS + 200)
    shelf.load(str(gpt2), attention="sdpa", dtype=torch.bfloat16)
    error = _refused(lambda: shelf.load(str(bert), "AutoModelForMaskedLM", dtype=torch.float64))
    assert "is too big" in error.en and "太大" in error.zh and shelf.names() == [str(gpt2)]


def test_limit_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Shelf().limit == accelerator.memory() // 2
    monkeypatch.setenv("MODELS_MEMORY", "2.5e9")
    assert Shelf().limit == 2_500_000_000


def test_bytes_come_from_the_headers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    kinds = {"a": (15, torch.float32), "b": (7, torch.bfloat16), "c": (2, torch.int64), "d": (9, torch.bool)}
    tensors = {name: torch.zeros(count, dtype=dtype) for name, (count, dtype) in kinds.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    assert checkpoint.bytes_needed(tmp_path, torch.float32) == 4 * (15 + 7) + 8 * 2 + 9
    assert checkpoint.bytes_needed(tmp_path, torch.bfloat16) == 2 * (15 + 7) + 8 * 2 + 9


class Bomb:
    """Unpickling this makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt"])
def test_pickles_are_never_opened(gpt2: Path, tmp_path: Path, name: str) -> None:
    folder, crater = _copy(gpt2, tmp_path / "pickled"), tmp_path / "crater"
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(crater)))
    assert "pickled weights only" in _refused(lambda: Shelf().load(str(folder), attention="sdpa")).en
    assert not crater.exists()


def test_config_cannot_point_at_a_pickle(gpt2: Path, tmp_path: Path) -> None:
    folder, crater = _copy(gpt2, tmp_path / "pointing"), tmp_path / "crater"
    config = json.loads((folder / "config.json").read_text()) | {"transformers_weights": "adapter_model.bin"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(crater)))
    assert "other weights" in _refused(lambda: Shelf().load(str(folder), attention="sdpa")).en
    assert not crater.exists()


def test_code_that_comes_with_a_model_is_never_run(gpt2: Path, tmp_path: Path) -> None:
    folder, crater = _copy(gpt2, tmp_path / "coded"), tmp_path / "crater"
    code = f"import os\nos.mkdir({str(crater)!r})\n"
    (folder / "modeling_own.py").write_text(code)
    auto = {"AutoConfig": "modeling_own.C", "AutoModelForCausalLM": "modeling_own.M"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    assert "cannot be read as" in _refused(lambda: Shelf().load(str(folder), attention="sdpa")).en
    assert not crater.exists()


def _truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")


def _index(folder: Path, shard: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))


def _reshape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.wpe.weight"] = torch.zeros(5, 8)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _drop(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("damage, sentence", [
    (_truncate, "damaged model.safetensors"),
    (_pointer, "Git LFS pointer"),
    (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
    (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    (lambda folder: (folder / "config.json").write_text("{"), "config.json that cannot be read"),
    (lambda folder: (folder / "config.json").write_text("[]"), "other weights"),
    (lambda folder: (folder / "config.json").write_text("{}"), "cannot be read as"),
    (lambda folder: (folder / "vocab.json").write_text("{"), "cannot be read as"),
    (lambda folder: _index(folder, "model-00001-of-00002.safetensors"), "lacks the shard"),
    (lambda folder: _index(folder, "../gpt2/model.safetensors"), "lacks the shard"),
    (_reshape, "cannot be read as"),
    (_drop, "lacks 1 tensors (transformer.h.1.mlp.c_fc.weight"),
])
def test_damage_in_one_sentence(
    gpt2: Path, tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    folder = _copy(gpt2, tmp_path / "damaged")
    damage(folder)
    assert sentence in _refused(lambda: Shelf().load(str(folder), attention="sdpa").tokenizer).en


def test_random_heads_do_not_answer(gpt2: Path, bert: Path) -> None:
    # A masked language model has no pooler, which no tab reads; a classifier's head does answer.
    assert Shelf().load(str(bert), "BertModel", attention="sdpa").parameters > 0
    wanted = "AutoModelForSequenceClassification"
    assert "lacks 1 tensors (score.weight" in _refused(lambda: Shelf().load(str(gpt2), wanted)).en


@pytest.mark.parametrize(
    "name", ["a b", "x/y/z", "/no/such/folder", "../up", "~/none", "-x/y", "a\x00b", "x\ny", "a" * 500]
)
def test_names_that_cannot_be(name: str) -> None:
    _refused(lambda: Shelf().load(name))


@pytest.mark.parametrize("variable", ["SPACE_ID", "PUBLIC_PAGE"])
def test_public_page_loads_the_allow_list_only(gpt2: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "somebody/something")
    for name in (str(gpt2), "/etc", "somebody/model"):
        error = _refused(lambda name=name: Shelf().load(name, embedded=gpt2, attention="sdpa"))
        assert "on a public page" in error.en and checkpoint.ALLOWED[0] in error.zh
    assert Shelf().load("", embedded=gpt2, attention="sdpa").source == "embedded"
    assert checkpoint.find(checkpoint.ALLOWED[0]).source == "hub"
    monkeypatch.setenv("MODELS_ALLOWED", "somebody/model, other/model")
    assert checkpoint.find("somebody/model").source == "hub"
    assert "other/model" in _refused(lambda: checkpoint.find(checkpoint.ALLOWED[0])).en


ON_THE_HUB = """
import json, sys, time
from shared import models
from shared.experiment import InputError
news = []
def visit(name):
    start = time.monotonic()
    try:
        loaded = models.Shelf().load(name, attention="sdpa", progress=lambda *n: news.append(n))
        answer = [loaded.source, loaded.name, loaded.parameters, bool(loaded.tokenizer)]
    except InputError as error:
        answer = error.en
    return answer, time.monotonic() - start
print("ANSWER", json.dumps([[visit(name) for name in sys.argv[1:]], news]))
"""


def _on_the_hub(url: str, home: Path, *names: str, **variables: str) -> tuple[list, list]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    kept |= {"HF_ENDPOINT": url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", ON_THE_HUB, *names]
    done = subprocess.run(command, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("ANSWER ")[2])


@pytest.mark.slow
def test_hub_with_and_without_a_network(gpt2: Path, tmp_path: Path) -> None:
    files = {file.name: file.read_bytes() for file in gpt2.iterdir()}
    extra = {"pytorch_model.bin": b"pickle", "modeling_own.py": b"raise SystemExit", "onnx/model.onnx": b"onnx"}
    pickled = {"config.json": files["config.json"], "pytorch_model.bin": b"pickle"}
    hub = FakeHub({"somebody/gpt2": files | extra, "somebody/pickled": pickled}, delay=0.2)
    names = ["somebody/gpt2", "somebody/gpt2", "somebody/pickled", "somebody/none"]
    (good, again, pickles, none), news = _on_the_hub(hub.url, tmp_path / "home", *names)
    asked = [path for _, path in hub.asked]
    hub.close()
    assert good[0] == again[0] == ["hub", "somebody/gpt2", GPT2_PARAMETERS, True]
    assert "pickled weights only" in pickles[0] and none[0] == "the hub has no somebody/none."
    fetched = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert {"model.safetensors", "config.json"} <= fetched and not fetched & {"pytorch_model.bin", "modeling_own.py"}
    assert news[0] == [0.0, "查找 somebody/gpt2", "Looking up somebody/gpt2"]
    assert news[1][1].startswith("下载 somebody/gpt2：0 / ") and all(0 <= n[0] <= 1 for n in news)

    # Nobody answers at that address any more: what is in the cache loads, the rest is one sentence, at once.
    (cached, absent), _ = _on_the_hub(hub.url, tmp_path / "home", "somebody/gpt2", "somebody/other")
    assert cached[0] == ["hub", "somebody/gpt2", GPT2_PARAMETERS, True]
    assert "cannot be reached (ConnectError): go online" in absent[0] and absent[1] < 5


def test_hub_model_over_the_limit_is_not_downloaded(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub({"somebody/gpt2": {file.name: file.read_bytes() for file in gpt2.iterdir()}})
    monkeypatch.setattr("shared.hub.HfApi", partial(HfApi, endpoint=hub.url))
    assert "is too big" in _refused(lambda: Shelf(limit=1000).load("somebody/gpt2")).en
    hub.close()
    assert not any("/resolve/" in path for _, path in hub.asked)


def test_folders_need_no_network(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("socket.socket.connect", lambda *where: calls.append(where))
    assert Shelf().load(str(gpt2), attention="sdpa").tokenizer and not calls
