"""The small CPM: GPT-2 in CPM's layout (pre-LN, final LN, eps 1e-5, tied output), in the size its training can feed.

*small*, for cores: 6 layers × 256, 7,049,216 parameters; one core reads 100 million tokens in ten hours with it, about
what so many parameters want. *medium*, for a GPU: 8 layers × 512, 29,840,384 parameters, 59.7 MB in bfloat16; a larger
vocabulary would take layers' place in 60 MB. Both have 8,000 pieces (the output shares them) and CPM's 1,024 positions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from shared.attention import register
from shared.experiment import InputError
from spaces.chat.tokenizer import FILE_NAMES, CpmTokenizer

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import GPT2Config, GPT2LMHeadModel

WEIGHTS = Path(__file__).parent / "weights"


SIZES = {"tiny": (64, 2, 2, 128), "small": (256, 6, 4, 1024), "medium": (512, 8, 8, 1024)}
"""Width, layers, heads, positions; tiny is for tests."""


def configuration(vocab_size: int, eod: int, size: str = "small") -> GPT2Config:
    """GPT-2's configuration of our CPM in one of SIZES."""
    from transformers import GPT2Config

    width, layers, heads, positions = SIZES[size]
    return GPT2Config(
        vocab_size=vocab_size, n_positions=positions, n_embd=width, n_layer=layers, n_head=heads,
        layer_norm_epsilon=1e-5, bos_token_id=eod, eos_token_id=eod, tie_word_embeddings=True,
    )  # fmt: skip


def load(folder: str | Path, device: str | torch.device = "cpu") -> tuple[GPT2LMHeadModel, CpmTokenizer]:
    """Model in evaluation mode, in float32, and its tokeniser; a folder without one is taken to speak our vocabulary.

    Raises InputError where the folder holds no loadable weights.
    """
    from transformers import GPT2LMHeadModel

    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InputError("model", f"{folder} 里没有 config.json。", f"there is no config.json in {folder}.")
    register()
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="xformers")
    tokenizer = CpmTokenizer(folder if any((folder / name).is_file() for name in FILE_NAMES) else WEIGHTS)
    if tokenizer.size != model.config.vocab_size:
        zh, en = "没有与它相配的 CPM 词表。", "has no CPM vocabulary that fits it."
        raise InputError("model", zh, en)
    return model.to(device).eval(), tokenizer


def hidden_states(model: GPT2LMHeadModel, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states (B, L, D) of ids (B, L), after the final LN.

    The layers are called here rather than through the model, whose mask code would make an explicit causal mask in a
    compiled graph and lose the flash kernel; without a mask the attention is causal by itself, eager's apart.
    """
    body, length = model.transformer, ids.shape[1]
    x = body.drop(body.wte(ids) + body.wpe.weight[:length])
    mask = None
    if model.config._attn_implementation == "eager":
        mask = x.new_full((length, length), float("-inf")).triu(1)
    for layer in body.h:
        out = layer(x, attention_mask=mask)
        x = out[0] if isinstance(out, tuple) else out  # a tuple in some versions of transformers
    return body.ln_f(x)
