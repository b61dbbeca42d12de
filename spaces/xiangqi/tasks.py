"""What each model learns, and how it is judged while it learns.

A task is a module that turns nothing but a batch into a loss and the figures to log; it draws its own batches from
corpora on the device, and validates on openings that training never met.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from transformers import GPT2LMHeadModel, PreTrainedModel

from spaces.xiangqi.batches import Batch, Corpus, random_batch
from spaces.xiangqi.faithful import CONTEXT, PLIES, characters, faithful_config, spell_moves
from spaces.xiangqi.metrics import Tally, agreement, phase
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.replay import MIRROR_MOVE, legal_in_view, legal_mask, mover_move
from spaces.xiangqi.styles import ENGINE, HUMAN

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0}
SIGHTED_SIZES: dict[str, dict] = {
    "full": {},
    # About 66 MFLOP a position: a CPU sees a position a few times at most, so nothing is dropped.
    "small": {"piece_width": 128, "piece_heads": 4, "attention_width": 64, "relation_width": 64, "piece_inner": 384,
              "encoder_layers": 3, "decoder_layers": 1, "pool_width": 256, "policy_width": 64, "n_embd": 192,
              "n_layer": 3, "n_head": 4, "n_positions": 16, "activation_function": "gelu"} | NO_DROPOUT,
    "tiny": {"piece_width": 32, "piece_heads": 2, "attention_width": 16, "relation_width": 16, "piece_inner": 64,
             "encoder_layers": 1, "decoder_layers": 1, "pool_width": 32, "policy_width": 32, "n_embd": 64,
             "n_layer": 2, "n_head": 2},
}
FAITHFUL_SIZES: dict[str, dict] = {
    "full": {},
    "small": {"n_embd": 192, "n_layer": 4, "n_head": 3} | NO_DROPOUT,
    "tiny": {"n_embd": 64, "n_layer": 2, "n_head": 2},
}
VALUE_WEIGHT, RULES_WEIGHT = 0.5, 1.0


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


class SightedTask(nn.Module):
    """Imitate people and the engine, each under its own style, obey the rules, and foretell win, draw or loss."""

    name = "sighted"

    def __init__(self, model: SightedModel, human: Corpus, labelled: Corpus, windows: int, labelled_share: float):
        super().__init__()
        self.model, self.corpora = model, (human, labelled)
        self.windows, self.labelled_share, self.alone = windows, labelled_share, windows // 8
        self.plies, self.tokens = model.config.n_positions, human.tokens

    @staticmethod
    def build(folder: str | None, size: str, attention: str) -> SightedModel:
        if folder:
            return SightedModel.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
        config = SightedConfig(**SIGHTED_SIZES[size])
        config._attn_implementation = attention
        return SightedModel(config)

    def compile(self) -> None:
        """Compile the two transformers over pieces: nearly all of the work, in fixed shapes."""
        self.model.encoder.compile(dynamic=False)
        self.model.decoder.compile(dynamic=False)

    def draw(self) -> Batch:
        return random_batch(*self.corpora, self.windows, self.plies, self.labelled_share, self.alone)

    def forward(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        decision = self.model(batch.board, batch.last, batch.style, self.alone if self.training else 0)
        target = batch.target.flatten()
        taught = (target >= 0).float()
        moves, token = decision.moves.flatten(0, 1), torch.where(target >= 0, self.tokens[target.clamp(min=0)], -100)
        policy = F.cross_entropy(moves, token, ignore_index=-100, reduction="none")
        value = -(batch.wdl * decision.wdl.log_softmax(-1)).sum(-1).flatten()
        weight, style = batch.weight.flatten(), batch.style.flatten()
        by_style = {name: _mean(policy, taught * (style == number))
                    for name, number in (("human", HUMAN), ("engine", ENGINE))}
        figures = by_style | {"value_human": _mean(value, weight * (style == HUMAN)),
                              "value_engine": _mean(value, weight * (style == ENGINE))}
        # At every ply, taught or not: the probability of all pseudo-legal moves together.
        rules = (moves.logsumexp(-1) - moves.where(decision.pseudo.flatten(0, 1), -1e4).logsumexp(-1)).mean()
        loss = _mean(policy, taught) + VALUE_WEIGHT * _mean(value, weight) + RULES_WEIGHT * rules
        return loss, {"loss": loss, "rules": rules.detach()} | {key: figure.detach() for key, figure in figures.items()}

    def _validation_batch(self, corpus: Corpus, style: int, windows: int) -> tuple[Batch, torch.Tensor]:
        """The same windows at every call, and their legal moves (B·T, 8100)."""
        pool = corpus.labels if style == ENGINE else torch.arange(len(corpus.board), device=corpus.board.device)
        anchor = pool[torch.linspace(0, len(pool) - 1, windows, device=pool.device).long()]
        game = corpus.game[anchor]
        first = (anchor - corpus.start[game] - self.plies // 2).minimum(corpus.length[game] - self.plies).clamp(min=0)
        batch = corpus.batch(game, first, self.plies, torch.full_like(game, style))
        return batch, legal_mask(batch.board.flatten(0, 1))

    def prepare_validation(self, human: Corpus, labelled: Corpus, windows: int) -> None:
        self.checks = {"human": self._validation_batch(human, HUMAN, windows),
                       "engine": self._validation_batch(labelled, ENGINE, windows)}

    def report(self) -> dict:
        """Nothing more than `validate` says already."""
        return {}

    @torch.no_grad()
    def validate(self) -> dict:
        """Agreement with people and with the engine on unseen openings; score: the lower the better."""
        out: dict = {}
        for name, (batch, legal) in self.checks.items():
            decision = self.model(batch.board, batch.last, batch.style)
            keep = batch.target.flatten() >= 0
            policy, target = decision.policy.flatten(0, 1)[keep], batch.target.flatten()[keep]
            figures = agreement(policy, legal[keep], target)
            value = -(batch.wdl * decision.wdl.log_softmax(-1)).sum(-1)
            out[name] = {key: round(figure.mean().item(), 4) for key, figure in figures.items()} | {
                "policy": round(F.cross_entropy(policy, target).item(), 4),
                "value": round(_mean(value, batch.weight).item(), 4), "plies": len(target)}
        return {"score": out["human"]["policy"] + out["engine"]["policy"] + VALUE_WEIGHT * out["engine"]["value"]} | out


class FaithfulTask(nn.Module):
    """Next character of human games, and of their mirror images."""

    name = "faithful"

    def __init__(self, model: GPT2LMHeadModel, human: Corpus, windows: int):
        super().__init__()
        self.model, self.human, self.windows = model, human, windows
        self.mirror = MIRROR_MOVE.to(human.board.device)

    @staticmethod
    def build(folder: str | None, size: str, attention: str) -> GPT2LMHeadModel:
        if folder:
            return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
        config = faithful_config(**FAITHFUL_SIZES[size])
        config._attn_implementation = attention
        return GPT2LMHeadModel(config)

    def compile(self) -> None:
        """Nothing: this model's share of the time is shorter than its compilation."""

    def _ids(self, corpus: Corpus, game: torch.Tensor, first: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """Token ids (B, 512), 0 where the game has ended, of windows of 127 plies."""
        ply = first[:, None] + torch.arange(PLIES, device=first.device)
        at = corpus.start[game][:, None] + ply.minimum(corpus.length[game][:, None] - 1)
        move = corpus.move[at].long()
        move = torch.where(ply % 2 == 1, 8099 - move, move)
        ids = characters(torch.where(mirrored[:, None], self.mirror[move], move)).flatten(1)
        ids = ids * (ply < corpus.length[game][:, None]).repeat_interleave(4, 1)
        return F.pad(ids, (1, CONTEXT - 1 - ids.shape[1]))

    def draw(self) -> torch.Tensor:
        anchor = self.human.anchors(self.windows, labelled=False)
        mirrored = torch.rand(self.windows, device=anchor.device) < 0.5
        return self._ids(self.human, self.human.game[anchor], self.human.windows(anchor, PLIES), mirrored)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        logits = self.model(ids, use_cache=False).logits[:, :-1].float()
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)
        return loss, {"loss": loss}

    def prepare_validation(self, human: Corpus, labelled: Corpus, windows: int) -> None:
        self.unseen = human
        game = torch.arange(min(len(human.length), windows), device=human.start.device)
        none = torch.zeros_like(game)
        self.check = self._ids(human, game, none, none.bool())

    @torch.no_grad()
    def validate(self) -> dict:
        """Loss a character, in nats, on unseen openings; score: the same."""
        return {"score": round(self(self.check)[0].item(), 4)}

    def report(self, games: int = 12) -> dict:
        """Agreement of the spelled moves at the first 60 plies of some unseen games."""
        trained_with = self.model.config._attn_implementation
        self.model.set_attn_implementation("sdpa")  # eager attention would add spell_moves' boolean mask to the scores
        tally = Tally()
        for game in range(min(games, len(self.unseen.length))):
            start, count = int(self.unseen.start[game]), min(60, int(self.unseen.length[game]))
            boards = self.unseen.board[start : start + count].tolist()
            played = [mover_move(m, i % 2) for i, m in enumerate(self.unseen.move[start : start + count].tolist())]
            legal = [[mover_move(m, i % 2) for m in legal_in_view(board)] for i, board in enumerate(boards)]
            for ply, spelled in enumerate(spell_moves(self.model, played, legal, 0)):
                tally.add(phase(ply, boards[ply]), spelled.agreement(played[ply]))
        self.model.set_attn_implementation(trained_with)
        return tally.report()


def save(model: PreTrainedModel, folder: str, shard_mb: float) -> None:
    """Write config.json and bf16 safetensors, in shards of at most `shard_mb` megabytes."""
    state = {key: value.bfloat16() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state, max_shard_size=f"{int(shard_mb * 1000)}KB")
    Path(folder, "generation_config.json").unlink(missing_ok=True)
