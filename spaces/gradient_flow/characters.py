"""A character model of each cell: the same embedding, one layer of the cell, the same read-out.

x_t = √E · row of the embedding, h = the cell (or a causal Transformer block) over x_1 … x_t, and the next character's
logits are the embedding times a projection of h. Only the layer between differs, so that what a model forgets is the
cell's doing. Weights lie in `weights/CELL` (config.json and model.safetensors in bf16), the characters in
`weights/vocabulary.json`; `load("lstm")` brings one, once.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from shared.experiment import InputError, choice
from spaces.gradient_flow.cells import GATES, Cell
from spaces.gradient_flow.recurrence import recur
from spaces.gradient_flow.settings import CELLS
from spaces.gradient_flow.transformer import CausalBlock

WEIGHTS = Path(__file__).parent / "weights"
UNKNOWN, END = 0, 1  # ids: a character outside the vocabulary; the end of a document
POSITIONS = 512
BIAS = {"lstm": (1, 1.0), "gru": (1, -1.0), "su": (1, -1.0)}
"""Which gate starts with which bias: what is kept begins at σ(1) = 0.73."""


class Vocabulary:
    """The characters that have an id of their own."""

    def __init__(self, characters: str):
        self.characters = characters
        self._ids = {c: i for i, c in enumerate(characters, END + 1)}

    def __len__(self) -> int:
        return len(self.characters) + END + 1

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(c, UNKNOWN) for c in text]

    def name(self, i: int) -> str:
        """The character of an id; "" for the unknown one, "■" for the end of a document."""
        return ("", "■")[i] if i <= END else self.characters[i - END - 1]

    def save(self, folder: Path) -> None:
        text = json.dumps({"unknown": UNKNOWN, "end": END, "characters": self.characters}, ensure_ascii=False)
        (Path(folder) / "vocabulary.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Vocabulary:
        try:
            return cls(json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))["characters"])
        except (OSError, ValueError, KeyError, TypeError):
            raise missing(folder, "vocabulary.json") from None


class CharacterModel(nn.Module):
    """ids (B, T) → the vectors (B, T, E) whose products with the embedding are the next characters' logits."""

    def __init__(self, cell: str, vocabulary: int, embedding: int = 128, hidden: int = 256):
        super().__init__()
        self.sizes = {"cell": cell, "vocabulary": vocabulary, "embedding": embedding, "hidden": hidden}
        self.name = cell
        self.embedding = nn.Parameter(torch.randn(vocabulary, embedding) * embedding**-0.5)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.out = nn.Linear(hidden, embedding)
        if cell == "transformer":
            self.into = nn.Linear(embedding, hidden)
            self.block = CausalBlock(hidden, heads=4, positions=POSITIONS)
            self.norm = nn.LayerNorm(hidden)
        else:
            self.W, self.U, self.b = (nn.Parameter(p) for p in _drawn(cell, embedding, hidden))

    @property
    def cell(self) -> Cell:
        """The recurrent cell with this model's parameters."""
        return Cell(self.name, self.W, self.U, self.b)

    def embed(self, ids: Tensor) -> Tensor:
        """x (…, E)."""
        return self.embedding[ids] * self.embedding.shape[1] ** 0.5

    def outputs(self, x: Tensor) -> Tensor:
        """The layer alone: x (B, T, E) → h (B, T, H)."""
        if self.name == "transformer":
            return self.norm(self.block(self.into(x)))
        return recur(self.name, self.cell.drive(x.transpose(0, 1)), self.U).transpose(0, 1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.outputs(self.embed(ids)))

    def logits(self, vectors: Tensor) -> Tensor:
        """(…, E) → (…, V)."""
        return vectors @ self.embedding.T + self.bias


def _drawn(cell: str, embedding: int, hidden: int) -> tuple[Tensor, Tensor, Tensor]:
    """W, U, b at the start: U orthogonal, half the identity for the ReLU that would explode."""
    gates = len(GATES[cell])
    W = torch.randn(gates, hidden, embedding) * embedding**-0.5
    U = torch.stack([nn.init.orthogonal_(torch.empty(hidden, hidden)) for _ in range(gates)])
    b = torch.zeros(gates, hidden)
    if cell == "rnn_relu":
        U = 0.5 * torch.eye(hidden)[None] + 0.01 * U
    if cell in BIAS:
        gate, value = BIAS[cell]
        b[gate] = value
    return W, U, b


def save(model: CharacterModel, folder: Path, trained: dict) -> None:
    """config.json, with what the training measured, and model.safetensors in bfloat16."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    config = {"model_type": "gradient-flow-characters", **model.sizes, "dtype": "bfloat16", "trained": trained}
    (folder / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> tuple[CharacterModel, dict]:
    """The model of a folder in float32 and what its training measured; InputError where files lack or do not fit."""
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        sizes = {name: config[name] for name in ("cell", "vocabulary", "embedding", "hidden")}
        state = {name: t.float() for name, t in load_file(folder / "model.safetensors").items()}
        model = CharacterModel(**sizes)
        model.load_state_dict(state)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        raise missing(folder, "config.json, model.safetensors") from None
    return model.eval().requires_grad_(False), config.get("trained", {})


def missing(folder: Path, files: str) -> InputError:
    """The refusal of a folder whose files cannot be read."""
    name = Path(folder).name
    return InputError("weights", f"{name} 中缺少 {files}，或已损坏。", f"{name} has no {files}, or they are damaged.")


def baselines(folder: Path = WEIGHTS) -> dict[str, float]:
    """unigram_bits and bigram_bits of the same held-out text, as the training counted them; empty where not."""
    file = Path(folder) / "baselines.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


@lru_cache(maxsize=8)
def load(cell: str, folder: Path = WEIGHTS) -> tuple[CharacterModel, dict]:
    """The character model of a cell and what its training measured, read once."""
    return read(Path(folder) / choice("cell", cell, CELLS))
