"""Every way to make a product gives x W + b, for one row and for several; other threads stay as many as they were."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from spaces.chat import products


@pytest.mark.parametrize("make", [products.plain, products.row_by_numpy, products.copied])
@pytest.mark.parametrize("shape", [(48, 16), (16, 48), (16, 16)])
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_a_product_is_x_w_plus_b(make, shape, rows):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(rows, shape[0]), torch.randn(shape), torch.randn(shape[1])
    with torch.inference_mode():
        for w in (weight, weight.t().contiguous().t()):  # as GPT-2 stores its layers, and as the tied table
            out = make(w, bias)(x)
            torch.testing.assert_close(out, (x.double() @ w.double() + bias).float(), atol=1e-4, rtol=1e-4)


def test_large_models_are_not_copied_and_half_precision_is_torchs(monkeypatch):
    config = GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=9, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    assert products.suited(model, torch.float32) is products.copied
    assert products.suited(model, torch.bfloat16) is products.plain
    monkeypatch.setattr(products, "SMALL", 10)
    assert products.suited(model, torch.float32) is products.row_by_numpy


def test_one_thread_there_as_many_as_before_elsewhere():
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert products.hand().submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)


def test_what_is_copied_is_counted():
    wide, tall = torch.randn(16, 48), torch.randn(48, 16)
    assert products.plain(wide, torch.zeros(48)).extra == products.row_by_numpy(wide, torch.zeros(48)).extra == 0
    assert products.copied(wide, torch.zeros(48)).extra == wide.nbytes
    assert products.copied(tall, torch.zeros(16)).extra == 2 * tall.nbytes
