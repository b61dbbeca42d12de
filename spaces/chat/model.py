"""The small CPM: GPT-2 in CPM's layout (pre-LN, final LN, eps 1e-5, tied output) at 8 layers × 512.

29,840,384 parameters, 59.7 MB in bfloat16: 8 layers × 3,152,384, 8,000 pieces × 512 (the output shares them), 1,024
positions × 512 as in the real CPM, and the final LN. Wider and shallower would decode no faster on a CPU, which reads
every weight once a token; a larger vocabulary would take layers' place in the 60 MB.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, StoppingCriteria

from shared.attention import register
from shared.experiment import InputError
from spaces.chat.tokenizer import CpmTokenizer

WEIGHTS = Path(__file__).parent / "weights"


def configuration(vocab_size: int, eod: int, tiny: bool = False) -> GPT2Config:
    """GPT-2's configuration of our small CPM; tiny is for tests."""
    width, layers, heads, positions = (64, 2, 2, 128) if tiny else (512, 8, 8, 1024)
    return GPT2Config(
        vocab_size=vocab_size, n_positions=positions, n_embd=width, n_layer=layers, n_head=heads,
        layer_norm_epsilon=1e-5, bos_token_id=eod, eos_token_id=eod, tie_word_embeddings=True,
    )  # fmt: skip


def load(folder: str | Path, device: str | torch.device = "cpu") -> tuple[GPT2LMHeadModel, CpmTokenizer]:
    """Model in evaluation mode, in float32, and its tokeniser; a folder without one is taken to speak our vocabulary.

    Raises InputError where the folder holds no loadable weights.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InputError("model", f"{folder} 里没有 config.json。", f"there is no config.json in {folder}.")
    register()
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="xformers")
    here = folder if (folder / "spiece.model").is_file() else WEIGHTS
    return model.to(device).eval(), CpmTokenizer(here)


def hidden_states(model: GPT2LMHeadModel, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states (B, L, D) of ids (B, L), after the final LN.

    The layers are called here rather than through the model, whose mask code would make an explicit causal mask in a
    compiled graph and lose the flash kernel; without a mask the attention is causal by itself.
    """
    body = model.transformer
    x = body.drop(body.wte(ids) + body.wpe.weight[: ids.shape[1]])
    for layer in body.h:
        out = layer(x)
        x = out[0] if isinstance(out, tuple) else out  # a tuple in some versions of transformers
    return body.ln_f(x)


class EveryLineEnded(StoppingCriteria):
    """Stops a row once it has said a line break."""

    def __init__(self, newline_ids: frozenset[int], prompt_length: int):
        self.newline_ids, self.prompt_length = torch.tensor(sorted(newline_ids)), prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_) -> torch.Tensor:
        return torch.isin(input_ids[:, self.prompt_length :], self.newline_ids.to(input_ids.device)).any(1)


@torch.inference_mode()
def complete_lines(
    model: GPT2LMHeadModel, tokenizer: CpmTokenizer, prompts: list[str], max_new_tokens: int = 32, batch: int = 25
) -> list[str]:
    """What the model says greedily after each prompt, up to the end of the line; of a long prompt the end is read."""
    room = model.config.n_positions - max_new_tokens - 1
    said = []
    for i in range(0, len(prompts), batch):
        rows = [[tokenizer.eod_id, *tokenizer.encode(prompt)[-room:]] for prompt in prompts[i : i + batch]]
        length = max(map(len, rows))
        ids = torch.tensor([[tokenizer.pad_id] * (length - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows], device=model.device)
        out = model.generate(
            ids, attention_mask=mask, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=tokenizer.pad_id,
            stopping_criteria=[EveryLineEnded(tokenizer.newline_ids, length)],
        )  # fmt: skip
        said += [tokenizer.decode(row).split("\n")[0] for row in out[:, length:].tolist()]
    return said
