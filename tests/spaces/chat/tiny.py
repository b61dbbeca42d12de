"""A tiny random model with our tokeniser in a folder, as a visitor would name one."""

from pathlib import Path

import torch
from transformers import GPT2LMHeadModel

from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.tokenizer import CpmTokenizer


def tiny(folder: Path, positions: int = 128, layers: int = 2) -> str:
    """Its path; what it says is nonsense, but hardly ever twice the same."""
    tokenizer = CpmTokenizer(WEIGHTS)
    config = configuration(tokenizer.size, tokenizer.eod_id, "tiny")
    config.n_positions, config.n_layer = positions, layers
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save(folder)
    return str(folder)
