"""Strangers' files: what is read, and that everything broken is refused with one sentence about the file."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from shared.experiment import InputError
from spaces.gradient_flow.state_dict import MOST_BYTES, parse, read


def written(tmp_path, tensors, name="model.safetensors"):
    path = tmp_path / name
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path)
    return path


def outputs(network, x):
    """The whole network's output (T, directions·H), by our cells."""
    out = []
    for i, layer in enumerate(network.layers):
        if i and layer.index > network.layers[i - 1].index:
            x, out = torch.cat(out, -1), []
        h = layer.cell.run(x.flip(0) if layer.reverse else x).states[1:, 0]
        out.append(h.flip(0) if layer.reverse else h)
    return torch.cat(out, -1)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"num_layers": 2, "bidirectional": True}, {"bias": False}])
def test_every_kind_runs_as_torch_runs_it(kind, options, tmp_path):
    torch.manual_seed(0)
    module = kind(6, 5, **options).double()
    network = parse(read(written(tmp_path, module.state_dict())))
    assert network.kind == kind.__name__ and (network.inputs, network.hidden) == (6, 5)
    assert len(network.layers) == options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = torch.randn(12, 6, dtype=torch.float64)
    assert (outputs(network, x) - module(x)[0]).abs().max() < 1e-12


def test_nonlinearity_is_asked_for():
    module = nn.RNN(4, 3, nonlinearity="relu").double()
    x = torch.randn(9, 4, dtype=torch.float64)
    assert (outputs(parse(module.state_dict(), "relu"), x) - module(x)[0]).abs().max() < 1e-12
    assert parse(module.state_dict()).layers[0].cell.name == "rnn"
    with pytest.raises(InputError, match="nonlinearity"):
        parse(module.state_dict(), "gelu")


def test_prefixes_cells_and_types(tmp_path):
    state = {f"encoder.rnn.{k}": v.half() for k, v in nn.LSTM(4, 3).state_dict().items()}
    state |= {f"decoder.{k}": v.bfloat16() for k, v in nn.GRUCell(4, 2).state_dict().items()}
    state["embedding.weight"] = torch.zeros(10, 4, dtype=torch.int64)  # of no interest, so of any type
    tensors = read(written(tmp_path, state))
    network = parse(tensors)
    assert (network.kind, network.prefix, network.others) == ("GRU", "decoder.", ("encoder.rnn.",))
    assert parse(tensors, prefix="encoder.rnn.").kind == "LSTM"
    with pytest.raises(InputError, match="prefix"):
        parse(tensors, prefix="head.")


def lstm(**changes):
    return dict(nn.LSTM(4, 3, num_layers=2).state_dict()) | changes


@pytest.mark.parametrize(
    "state, said",
    [
        ({}, "holds no weights"),
        ({"weight": torch.zeros(3, 3)}, "holds no weights"),
        ({k: v for k, v in lstm().items() if "weight_ih_l1" not in k}, "weight_ih_l1"),
        ({k: v for k, v in lstm().items() if "l0" not in k}, "weight_hh_l0"),
        ({k: v for k, v in lstm().items() if k != "bias_hh_l1"}, "bias_hh"),
        (lstm(weight_hh_l0=torch.zeros(12, 3, 1)), "matrix weight_hh_l0"),
        (lstm(weight_hh_l0=torch.zeros(6, 3)), "6 × 3"),
        (lstm(weight_hh_l0=torch.zeros(0, 0)), "hidden size 0"),
        (lstm(weight_ih_l1=torch.zeros(12, 9)), "weight_ih_l1"),
        (lstm(weight_ih_l0=torch.zeros(9, 4)), "9 × 4"),
        (lstm(bias_ih_l0=torch.zeros(11)), "bias_ih_l0"),
        ({"weight_hh_l0": torch.zeros(1, 1), "weight_ih_l0": torch.zeros(1, 9000)}, "input size 9000"),
        ({"weight_hh_l0": torch.zeros(1100, 1100), "weight_ih_l0": torch.zeros(1100, 1)}, "hidden size 1100"),
        ({"weight_hh_l99": torch.zeros(1, 1), "weight_ih_l99": torch.zeros(1, 1)}, "100 layers"),
        (dict(nn.LSTM(4, 3, proj_size=2).state_dict()), "projection"),
    ],
)
def test_what_does_not_fit_is_named(state, said, tmp_path):
    with pytest.raises(InputError, match="^file: ") as error:
        parse(read(written(tmp_path, state)))
    assert said in error.value.en and error.value.zh.endswith("。")


def test_integers_are_refused(tmp_path):
    path = written(tmp_path, lstm(weight_hh_l1=torch.zeros(12, 3, dtype=torch.int32)))
    with pytest.raises(InputError, match="weight_hh_l1 of type I32"):
        read(path)


def with_header(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


BROKEN = {
    "empty": b"",
    "short": b"abc",
    "only a length": struct.pack("<Q", 40),
    "huge header": struct.pack("<Q", 2**62) + b"{}",
    "not json": with_header(b"{{{{{{{{"),
    "a list": with_header(b"[1, 2]  "),
    "nested": with_header(b"[" * 100_000),
    "not text": with_header(b"\xff\xfe\x00\x00"),
    "beyond the end": with_header(
        json.dumps({"weight_hh_l0": {"dtype": "F32", "shape": [3, 3], "data_offsets": [0, 36]}}).encode(), b"\0" * 8
    ),
    "offsets that lie": with_header(
        json.dumps({"weight_hh_l0": {"dtype": "F32", "shape": [10**9] * 2, "data_offsets": [0, 4]}}).encode(), b"\0" * 4
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_sentence(name, tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(BROKEN[name])
    with pytest.raises(InputError, match="no complete safetensors"):
        read(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = written(tmp_path, lstm())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="no complete safetensors"):
        read(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_renamed_pickle_is_refused(zipped, tmp_path):
    path = tmp_path / "renamed.safetensors"
    torch.save(lstm(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="pickle"):
        read(path)


def test_large_files_and_headers_are_refused_unread(tmp_path):
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="at most 64 MB"):
        read(path)
    path.write_bytes(with_header(b'{"__metadata__": {"a": "' + b"b" * 2**20 + b'"}}'))
    with pytest.raises(InputError, match="more than 1 MB"):
        read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no complete safetensors"):
        read(tmp_path / "none.safetensors")


def test_weights_that_are_not_numbers_are_named():
    state = lstm()
    state["weight_hh_l1"] = torch.full((12, 3), torch.nan)
    layers = parse(state).layers
    assert layers[0].broken == () and layers[1].broken == ("weight_hh_l1",)
