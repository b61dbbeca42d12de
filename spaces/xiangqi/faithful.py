"""The faithful model: the article's GPT that reads games as characters and never sees a board.

A game is its ICCS words without separators, four characters a ply, over a vocabulary of 20: [PAD], 0 … 9,
a … i. [PAD] also begins every window. The model is a plain GPT2LMHeadModel with 512 positions: the beginning,
127 plies of history and three characters of a candidate. A longer game is read from its last plies on. A move
is scored by the log-probability of its four characters; what the legal moves' spellings leave of probability 1
is the illegal mass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from transformers import DynamicCache, GPT2Config

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

VOCABULARY = ["[PAD]", *"0123456789", *"abcdefghi"]
CONTEXT = 512
PLIES = (CONTEXT - 1 - 3) // 4


def faithful_config(**sizes) -> GPT2Config:
    """A GPT-2 of the article's kind; sizes override 6 layers × 320."""
    return GPT2Config(**({"vocab_size": len(VOCABULARY), "n_positions": CONTEXT, "n_embd": 320, "n_layer": 6,
                          "n_head": 5, "bos_token_id": 0, "eos_token_id": 0, "attn_pdrop": 0.0} | sizes))


def characters(moves: torch.Tensor) -> torch.Tensor:
    """Token ids (…, 4) of moves (…,), absolute 90·from + to: file, rank, file, rank."""
    moves = moves.long()
    ends = torch.stack([moves // 90, moves % 90], -1)
    return torch.stack([11 + ends % 9, 1 + ends // 9], -1).flatten(-2)


def spelling(move: int) -> tuple[int, int, int, int]:
    """The four token ids of one move."""
    f, t = divmod(move, 90)
    return 11 + f % 9, 1 + f // 9, 11 + t % 9, 1 + t // 9


class Spelled(NamedTuple):
    """Log-probabilities {move: log p} of the legal moves, and whether the greedy spelling is one of them."""

    log_p: dict[int, float]
    raw_legal: bool

    @property
    def illegal_mass(self) -> float:
        """1 − the summed probability of the legal moves."""
        return max(0.0, 1.0 - float(torch.tensor(list(self.log_p.values()), dtype=torch.float64).exp().sum()))

    def agreement(self, played: int) -> dict[str, float]:
        """The figures of `metrics.agreement` for the move played."""
        best = sorted(self.log_p, key=self.log_p.__getitem__, reverse=True)[:5]
        return {"top1": float(played == best[0]), "top5": float(played in best),
                "illegal_mass": self.illegal_mass, "raw_legal": float(self.raw_legal)}


def _trie(moves: list[int]) -> list[tuple[int, ...]]:
    """The distinct beginnings of one, two and three characters of the moves' spellings."""
    return sorted({spelling(m)[:k] for m in moves for k in (1, 2, 3)}, key=lambda node: (len(node), node))


def _tree_mask(tries: list[list[tuple[int, ...]]], seen: list[int], past: int) -> torch.Tensor:
    """bool (1, 1, Q, past + Q): a node sees its ply's history and its own beginnings."""
    nodes = [(ply, node) for ply, trie in enumerate(tries) for node in trie]
    index = {key: i for i, key in enumerate(nodes)}
    mask = torch.zeros(len(nodes), past + len(nodes), dtype=torch.bool)
    for i, (ply, node) in enumerate(nodes):
        mask[i, : seen[ply]] = True
        mask[i, [past + index[ply, node[:k]] for k in range(1, len(node) + 1)]] = True
    return mask[None, None]


def _collect(trie: list[tuple[int, ...]], after: torch.Tensor, first: torch.Tensor,
             legal: list[int]) -> Spelled:
    """Scores from the characters' log-probabilities: `first` (20,) at the root, `after` (nodes, 20)."""
    follow = {(): first.tolist()} | dict(zip(trie, after.tolist(), strict=True))
    words = {m: spelling(m) for m in legal}
    log_p = {m: sum(follow[word[:k]][word[k]] for k in range(4)) for m, word in words.items()}
    greedy: tuple[int, ...] = ()
    while greedy in follow:
        greedy += (max(range(len(VOCABULARY)), key=follow[greedy].__getitem__),)
    return Spelled(log_p, greedy in set(words.values()))


@torch.inference_mode()
def spell_moves(model: GPT2LMHeadModel, history: list[int], legal: list[list[int]], first_ply: int,
                plies_at_once: int = 12) -> list[Spelled]:
    """Scores of the legal moves at plies first_ply, first_ply + 1, … of one window.

    history: at most 127 absolute moves from the window's beginning; legal: the legal moves at each asked ply,
    whose history is `history[:ply]`. One pass over the history, then the candidates as trees on its cache.
    """
    device = model.device
    words = characters(torch.tensor(history, dtype=torch.long)).flatten()
    ids = torch.cat([torch.zeros(1, dtype=torch.long), words])[None].to(device)
    cache, past, out = DynamicCache(config=model.config), ids.shape[1], []
    logits = model(ids, past_key_values=cache, use_cache=True).logits[0].float().log_softmax(-1).cpu()
    for at in range(0, len(legal), plies_at_once):
        asked = legal[at : at + plies_at_once]
        seen = [1 + 4 * (first_ply + at + i) for i in range(len(asked))]
        tries = [_trie(moves) for moves in asked]
        nodes = [(ply, node) for ply, trie in enumerate(tries) for node in trie]
        after = torch.empty(0, len(VOCABULARY))
        if nodes:
            after = model(
                torch.tensor([[node[-1] for _, node in nodes]]).to(device),
                position_ids=torch.tensor([[seen[ply] + len(node) - 1 for ply, node in nodes]]).to(device),
                attention_mask=_tree_mask(tries, seen, past).to(device),
                past_key_values=cache, use_cache=True,
            ).logits[0].float().log_softmax(-1).cpu()
            cache.crop(-len(nodes))
        for trie, count, moves in zip(tries, seen, asked, strict=True):
            out.append(_collect(trie, after[: len(trie)], logits[count - 1], moves))
            after = after[len(trie) :]
    return out
