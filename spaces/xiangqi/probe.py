"""A linear probe of the faithful model: which piece does its hidden state believe on each square?

    python -m spaces.xiangqi.probe --train --games 2000

The model reads characters and never sees a board. After a ply's last character a layer's hidden state (D,) goes
through one linear map to 90 × 15 logits: empty, or one of 14 pieces on each square, red at the bottom. The map is
trained on training games, the layer chosen on one half of the validation games, the report comes from the other half,
beside two things without which it means nothing: `common`, which always says the piece most often seen on that square
at that ply, and `untrained`, the same probe of a model of the same shape with random weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from shared import accelerator
from shared.experiment import InputError
from spaces.xiangqi.api import weights
from spaces.xiangqi.data import Games, read_games
from spaces.xiangqi.faithful import PLIES, characters
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.replay import replay, turn_round
from spaces.xiangqi.weights import WEIGHTS, load

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

FILE = "probe.safetensors"
CLASSES = 15
"""Empty, red's K A B N R C P, black's K A B N R C P."""
BATCH_GAMES, BATCH_PLIES, RATE, DECAY = 24, 256, 3e-3, 0.1
LEAST = 20
"""A ply is reported where at least so many games reached it."""


def cells(board: list[int]) -> list[int]:
    """`rules.Position.board` as classes 0 … 14."""
    return [(piece & 7) + 7 * (piece > 8) for piece in board]


def boards(games: Games) -> torch.Tensor:
    """uint8 (P, 90): the classes after each ply of all games, red at the bottom."""
    lengths = torch.from_numpy(games.lengths.astype("int64"))
    moves = torch.from_numpy(games.moves.astype("int64"))
    before, seen = replay(moves, lengths)
    rows = torch.arange(len(moves))
    before[rows, seen.long() % 90] = before[rows, seen.long() // 90]
    before[rows, seen.long() // 90] = 0
    ply = rows - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
    return torch.where((ply % 2 == 1)[:, None], turn_round(before), before)


def hidden(model: GPT2LMHeadModel, moves: torch.Tensor) -> torch.Tensor:
    """(B, T, layers + 1, D): the state after each ply of B lines of T ≤ 127 moves (B, T); layer 0 is the embedding."""
    ids = F.pad(characters(moves).flatten(1), (1, 0)).to(model.device)
    states = model.transformer(ids, output_hidden_states=True, use_cache=False).hidden_states
    return torch.stack([state[:, 4::4].float() for state in states], 2)


# ---- what ships


@dataclass(frozen=True)
class Probe:
    """weight (1350, D), bias (1350,); layer: 0 is the embedding; model: fingerprint of the one it was trained on.

    report: accuracies by ply and layer, as measured when it was trained.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    layer: int
    model: str
    report: dict

    def believe(self, state: torch.Tensor) -> torch.Tensor:
        """Probabilities (…, 90, 15) of hidden states (…, D)."""
        logits = F.linear(state, self.weight.to(state), self.bias.to(state))
        return logits.view(*state.shape[:-1], 90, CLASSES).softmax(-1)

    def save(self, path: Path) -> None:
        """bf16 safetensors; layer, fingerprint and report in its metadata."""
        save_file({"weight": self.weight.bfloat16().contiguous(), "bias": self.bias.bfloat16()}, path,
                  {"layer": str(self.layer), "model": self.model, "report": json.dumps(self.report)})

    @classmethod
    def load(cls, path: Path) -> Probe:
        """What `save` wrote; InputError when it is not there."""
        if not path.exists():
            raise InputError("probe", f"没有探针的权重 {path.name}。", f"{path.name}, the probe's weights, is missing.")
        with safe_open(path, "pt") as file:
            note = file.metadata()
            return cls(file.get_tensor("weight").float(), file.get_tensor("bias").float(), int(note["layer"]),
                       note["model"], json.loads(note["report"]))


@lru_cache(maxsize=2)
def _shipped(path: Path, model: GPT2LMHeadModel) -> Probe:
    probe = Probe.load(path)
    if probe.model != fingerprint(model):
        raise InputError("probe", "探针是在另一组 faithful 权重上训练的，与现在的模型不配：请重新训练探针。",
                         "the probe was trained on other weights than faithful's present ones: train it again.")
    return probe


def shipped() -> Probe:
    """The probe beside the model; InputError when it is missing or was trained on another model."""
    return _shipped(WEIGHTS / FILE, weights("article"))


def believed(moves: tuple[int, ...]) -> torch.Tensor:
    """(T, 90, 15): the board that the faithful model believes in after each of 1 … T ≤ 127 plies."""
    return _believed(moves, shipped())


@accelerator.run(duration=5)
@torch.inference_mode()
def _believed(moves: tuple[int, ...], probe: Probe) -> torch.Tensor:
    model = weights("article").to(accelerator.device())
    return probe.believe(hidden(model, torch.tensor([moves]))[0, :, probe.layer]).cpu()


# ---- training


@dataclass
class States:
    """What a probe reads and should say: states bf16 (N, L, D), truth uint8 (N, 90), ply (N,) from 0 on."""

    states: torch.Tensor
    truth: torch.Tensor
    ply: torch.Tensor


@torch.inference_mode()
def collect(model: GPT2LMHeadModel, games: Games, chosen: range) -> States:
    """The states of some games, up to their first 127 plies."""
    truth, starts = boards(games), games.lengths.cumsum() - games.lengths
    parts = []
    for at in range(chosen.start, min(chosen.stop, len(starts)), BATCH_GAMES):
        some = slice(at, min(at + BATCH_GAMES, chosen.stop))
        lengths = torch.from_numpy(games.lengths[some].astype("int64")).clamp(max=PLIES)
        row, ply = (torch.arange(int(lengths.max()))[None] < lengths[:, None]).nonzero().T
        where = torch.from_numpy(starts[some].astype("int64"))[row] + ply
        moves = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.long)
        moves[row, ply] = torch.from_numpy(games.moves).long()[where]
        parts.append((hidden(model, moves)[row, ply].bfloat16(), truth[where].to(model.device), ply))
    return States(*(torch.cat(column) for column in zip(*parts, strict=True)))


def fit(seen: States, epochs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (L, 1350, D) and biases (L, 1350): a probe for each layer, by AdamW, on standardised states."""
    _, layers, width = seen.states.shape
    device, sample = seen.states.device, seen.states[:20_000].float()
    mean, scale = sample.mean(0), sample.std(0).clamp(min=1e-3)  # (L, D)
    weight = torch.zeros(layers, 90 * CLASSES, width, device=device, requires_grad=True)
    # From the frequencies on, the weights need not learn that most squares are mostly empty.
    frequency = (F.one_hot(seen.truth[:20_000].long(), CLASSES).sum(0) + 0.1) / len(sample)
    bias = frequency.log().flatten().expand(layers, 1, -1).clone().requires_grad_()
    optim = torch.optim.AdamW([weight, bias], RATE, weight_decay=DECAY)
    steps = epochs * -(-len(seen.states) // BATCH_PLIES)
    schedule = torch.optim.lr_scheduler.LinearLR(optim, 1.0, 0.02, steps)
    for epoch in range(epochs):
        for part in torch.randperm(len(seen.states)).split(BATCH_PLIES):
            state = ((seen.states[part].float() - mean) / scale).transpose(0, 1)  # (L, N, D)
            logits = torch.baddbmm(bias, state, weight.mT).view(layers, len(part), 90, CLASSES)
            truth = seen.truth[part].long().expand(layers, -1, -1)
            loss = F.cross_entropy(logits.flatten(0, 2), truth.flatten())
            optim.zero_grad()
            (layers * loss).backward()
            optim.step()
            schedule.step()
        print(json.dumps({"epoch": epoch + 1, "loss": round(float(loss.detach()), 4)}), file=sys.stderr, flush=True)
    weight, bias = weight.detach() / scale[:, None], bias.detach()[:, 0]
    return weight, bias - (weight @ mean[..., None])[..., 0]


def common(games: Games) -> torch.Tensor:
    """uint8 (127, 90): the class most often seen on each square after each ply of some games."""
    truth, lengths = boards(games), torch.from_numpy(games.lengths.astype("int64"))
    ply = torch.arange(len(truth)) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
    counts = torch.zeros(PLIES * 90 * CLASSES, dtype=torch.long)
    for part in torch.arange(len(truth))[ply < PLIES].split(100_000):
        cell = (ply[part, None] * 90 + torch.arange(90)) * CLASSES + truth[part]
        counts += torch.bincount(cell.flatten(), minlength=len(counts))
    return counts.view(PLIES, 90, CLASSES).argmax(-1).to(torch.uint8)


@torch.inference_mode()
def guesses(weight: torch.Tensor, bias: torch.Tensor, seen: States, layer: int) -> torch.Tensor:
    """uint8 (N, 90): what a layer's probe says."""
    return torch.cat([F.linear(part[:, layer].float(), weight[layer], bias[layer]).view(-1, 90, CLASSES).argmax(-1)
                      for part in seen.states.split(4096)]).to(torch.uint8)


def by_ply(said: torch.Tensor, usual: torch.Tensor, seen: States) -> dict[str, list]:
    """Per ply from the first on: `accuracy` over 90 squares, `unusual` over those where `usual` errs, whole boards."""
    right, odd = said == seen.truth, usual != seen.truth
    count = torch.bincount(seen.ply)
    reached = int((count >= LEAST).sum())

    def mean(values: torch.Tensor, weight: torch.Tensor) -> list[float | None]:
        above = torch.zeros(len(count), dtype=torch.float64).index_add(0, seen.ply, values.double().cpu())
        below = torch.zeros(len(count), dtype=torch.float64).index_add(0, seen.ply, weight.double().cpu())
        return [round(float(a / b), 4) if b else None for a, b in zip(above, below, strict=True)][:reached]

    every = torch.ones(len(right))
    return {"accuracy": mean(right.sum(1), 90 * every), "unusual": mean((right & odd).sum(1), odd.sum(1)),
            "boards": mean(right.all(1), every)}


def train(model: GPT2LMHeadModel, games: Games, count: int, epochs: int) -> Probe:
    """A probe of the layer that does best on half of the validation games, and its report from the other half."""
    from transformers import GPT2LMHeadModel

    known, unseen = games.select(~games.validation), games.select(games.validation)
    usual_of = common(known).to(model.device)
    half = len(unseen.lengths) // 2
    twin = GPT2LMHeadModel(model.config).to(model.device).eval()
    report, kept = {"games": count, "held_out": len(unseen.lengths) - half}, None
    for name, one in (("untrained", twin), ("probe", model)):
        weight, bias = fit(collect(one, known, range(count)), epochs)
        choose, judge = collect(one, unseen, range(half)), collect(one, unseen, range(half, len(unseen.lengths)))
        usual = usual_of[judge.ply.to(model.device)]
        layers = [float((guesses(weight, bias, choose, layer) == choose.truth).float().mean())
                  for layer in range(weight.shape[0])]
        best = layers.index(max(layers))
        said = guesses(weight, bias, judge, best)
        odd = usual != judge.truth
        report[name] = {
            "layer": best, "layers": [round(value, 4) for value in layers],
            "accuracy": round(float((said == judge.truth).float().mean()), 4),
            "unusual": round(float((said == judge.truth)[odd].float().mean()), 4),
            "by_ply": by_ply(said, usual, judge)}
        report["common"] = {"accuracy": round(float((~odd).float().mean()), 4), "by_ply": by_ply(usual, usual, judge)}
        kept = weight[best].cpu(), bias[best].cpu(), best
    return Probe(*kept, fingerprint(model), report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the model is and the probe goes")
    parser.add_argument("--games", type=int, default=2000, help="training games")
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = load("faithful", args.weights, "cuda" if torch.cuda.is_available() else "cpu")
    probe = train(model, read_games(args.data / "games.jsonl.xz"), args.games, args.epochs)
    probe.save(args.weights / FILE)
    short = {name: {key: value for key, value in part.items() if key != "by_ply"}
             for name, part in probe.report.items() if isinstance(part, dict)}
    print(json.dumps(short | {"model": probe.model, "bytes": (args.weights / FILE).stat().st_size}))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
