"""The embedded default before fine-tuning: multilingual-e5-small, Chinese pieces only, from its Q4_0 blocks.

A BertModel of 12 layers × 384 with 512 learned positions, 31.3 M parameters (intfloat/multilingual-e5-small,
MIT), as described in e5_small_zh/SOURCE.txt, and its unigram tokenizer (NFKC, spaces as ▁) as tokenizer.json.

Try first: `python -m spaces.long_document.e5 OUT`, then AutoModel.from_pretrained(OUT).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers import decoders as token_decoders
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

DATA = Path("../shared/data/e5_small_zh")
BLOCK, BYTES = 32, 18  # weights in a block; bytes: an fp16 scale and 16 bytes of two 4-bit weights
LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORM = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def dequantise(blocks: np.ndarray) -> Tensor:
    """Q4_0 blocks uint8 (rows, cols/32·18) → float32 (rows, cols); byte j holds weights j and j + 16."""
    blocks = blocks.reshape(len(blocks), -1, BYTES)
    scale = blocks[..., :2].copy().view(np.float16).astype(np.float32)  # (rows, cols/32, 1)
    nibbles = np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1)
    weights = (nibbles.astype(np.float32) - 8) * scale
    return torch.from_numpy(weights.reshape(len(blocks), -1))


def state_dict(weights: dict[str, np.ndarray], layers: int = 12) -> dict[str, Tensor]:
    """The arrays of weights_q4.npz under the names of BertModel (without a pooler)."""

    def vector(name: str) -> Tensor:
        return torch.from_numpy(np.array(weights[name], dtype=np.float32))

    state = {
        "embeddings.word_embeddings.weight": dequantise(weights["emb.word.q4"]),
        "embeddings.position_embeddings.weight": vector("emb.pos").reshape(512, 384),
        "embeddings.token_type_embeddings.weight": vector("emb.type").reshape(2, 384),
        "embeddings.LayerNorm.weight": vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": vector("emb.ln.b"),
    }
    for layer in range(layers):
        for short, name in LINEAR.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = dequantise(weights[f"l{layer}.{short}.w.q4"])
            state[f"encoder.layer.{layer}.{name}.bias"] = vector(f"l{layer}.{short}.b")
        for short, name in NORM.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = vector(f"l{layer}.{short}.w")
            state[f"encoder.layer.{layer}.{name}.bias"] = vector(f"l{layer}.{short}.b")
    return state


def e5_config(vocabulary: int = 25605, layers: int = 12) -> BertConfig:
    """The configuration of multilingual-e5-small with another vocabulary."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=384,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )


def load_e5(folder: Path = DATA) -> BertModel:
    """The decoded encoder, float32, without a pooler (e5 averages its last layer)."""
    with np.load(Path(folder) / "weights_q4.npz") as weights:
        state = state_dict(weights)
    model = BertModel(e5_config(len(state["embeddings.word_embeddings.weight"])), add_pooling_layer=False)
    model.load_state_dict(state)
    return model.eval()


def load_pieces(folder: Path = DATA, name: str = "pieces.tsv") -> list[tuple[str, float]]:
    """(piece, log score) in the order of their ids."""
    lines = (Path(folder) / name).read_text(encoding="utf-8").split("\n")
    pairs = [line.rsplit("\t", 1) for line in lines if line]
    return [(piece, float(score)) for piece, score in pairs]


def save_pieces(pieces: list[tuple[str, float]], path: Path) -> None:
    """What load_pieces reads."""
    path.write_text("".join(f"{piece}\t{score}\n" for piece, score in pieces), encoding="utf-8")


def build_tokenizer(pieces: list[tuple[str, float]], model_max_length: int = 512) -> PreTrainedTokenizerFast:
    """A unigram tokenizer: NFKC, white space as spaces (two at most in a row), ▁ before words, <s> … </s>."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(Regex(r"\s"), " "),
            normalizers.Replace(Regex(r" {3,}"), "  "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = token_decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        model_max_length=model_max_length,
        model_input_names=["input_ids", "attention_mask"],
    )


def main(argv: list[str] | None = None) -> None:
    """Write the decoded model and its tokenizer as an ordinary checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="the folder to write")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of weights_q4.npz and pieces.tsv")
    arguments = parser.parse_args(argv)
    load_e5(arguments.data).save_pretrained(arguments.out)
    build_tokenizer(load_pieces(arguments.data)).save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
