"""What both models say at every ply of a game: the whole distribution, legal or not.

*faithful* spells: its words are all strings of four characters. `faithful_words` follows every beginning that a legal
move has or that is likely enough, so the legal mass is exact, and what is not followed is known in sum. *sighted*
scores all moves at once. A `Saying` sorts either into legal moves and broken rules (`breaks`).
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from shared import accelerator
from shared.experiment import InputError
from spaces.xiangqi.api import weights
from spaces.xiangqi.board import iccs
from spaces.xiangqi.breaks import breach
from spaces.xiangqi.faithful import PLIES, characters
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import window
from spaces.xiangqi.styles import STYLES

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

    from spaces.xiangqi.model import SightedModel

MODELS = ("faithful", "sighted")
SLICE, KEPT = 6, 4096
"""Plies computed in one call, and positions of which it is remembered what was said."""
FOLLOWED = 5e-4
"""Beginnings less likely than this are spelled out only where a legal move has them."""
AT_ONCE = 3
"""Plies whose words are spelled on one cache: their nodes cost attention to one another, though it is masked."""
SORTED, SHOWN = 1e-5, 8
"""Illegal moves below this probability are summed unsorted; so many of the others are kept by name."""


@dataclass(frozen=True)
class Saying:
    """What a model says in one position; all probabilities together are 1.

    legal: {move: p}; illegal: the likeliest [(ICCS word, p, rule)]; broken: {rule: p}, also of words that are no move;
    rest: p of illegal words too unlikely, each, to be sorted.
    """

    legal: dict[int, float]
    illegal: list[tuple[str, float, str]]
    broken: dict[str, float]
    rest: float

    @property
    def illegal_mass(self) -> float:
        return max(0.0, 1.0 - sum(self.legal.values()))

    @property
    def entropy(self) -> float:
        """In bits, of the policy over legal moves alone."""
        total = sum(self.legal.values())
        return -sum(p / total * math.log2(p / total) for p in self.legal.values() if p > 0) if total > 0 else math.nan

    def rank(self, move: int) -> int:
        """1 for the favourite among the legal moves."""
        return 1 + sum(p > self.legal[move] for p in self.legal.values())

    def top(self, count: int) -> list[tuple[int, float]]:
        """The likeliest legal moves."""
        return sorted(self.legal.items(), key=lambda pair: -pair[1])[:count]


# ---- the faithful model


@torch.inference_mode()
def faithful_words(model: GPT2LMHeadModel, moves: list[int], plies: list[int], legal: list[list[int]],
                   followed: float = FOLLOWED) -> tuple[torch.Tensor, torch.Tensor]:
    """(P, 8100) probability of the words that are pairs of squares, and (P,) of those that are none.

    moves: at most 127; plies: which of the positions after 0 … len(moves) of them; legal: there, spelled in any case.
    A row's words that were not followed are 0 and missing from its sum; followed=0 follows all.
    """
    if len(plies) > AT_ONCE:
        groups = [slice(at, at + AT_ONCE) for at in range(0, len(plies), AT_ONCE)]
        spelled = [faithful_words(model, moves[: max(plies[g])], plies[g], legal[g], followed) for g in groups]
        return tuple(torch.cat(column) for column in zip(*spelled, strict=True))
    wanted = torch.zeros(len(plies), 9, 10, 9, 10, dtype=torch.bool)  # file, rank, file, rank
    for row, words in zip(wanted, legal, strict=True):
        ends = torch.tensor(words or [0])
        row[ends // 90 % 9, ends // 90 // 9, ends % 90 % 9, ends % 90 // 9] = bool(words)
    tree = _Tree(model, moves, plies)
    log_p, malformed = tree.root()
    for depth in (1, 2, 3):
        needed = wanted.flatten(depth + 1).any(-1)
        log_p, strays = tree.grow(log_p, needed | (log_p.exp() > followed if followed else needed.new_ones(())))
        malformed += strays
    # (P, file, rank, file, rank) → squares 9·rank + file
    return log_p.exp().permute(0, 2, 1, 4, 3).reshape(len(plies), 8100), malformed


class _Tree:
    """Words spelled character by character on one cache, level by level; a node sees its history and ancestors."""

    def __init__(self, model: GPT2LMHeadModel, moves: list[int], plies: list[int]):
        self.model, self.seen = model, 1 + 4 * torch.tensor(plies)
        ids = torch.cat([torch.zeros(1, dtype=torch.long), characters(torch.tensor(moves, dtype=torch.long)).flatten()])
        self.cache, self.past = DynamicCache(config=model.config), len(ids)
        out = model(ids[None].to(model.device), past_key_values=self.cache, use_cache=True).logits[0]
        self.first = out[self.seen.to(out.device) - 1].float().log_softmax(-1).cpu()
        self.trail = torch.empty(len(plies), 0, dtype=torch.long)  # cache positions of each node's ancestors
        self.shape, self.index = (len(plies),), torch.arange(len(plies))[:, None]  # (N, depth + 1) of the nodes

    def root(self) -> tuple[torch.Tensor, torch.Tensor]:
        """log p (P, 9) of a word's first file, and (P,) the probability of anything else."""
        return self.first[:, 11:], 1 - self.first[:, 11:].exp().sum(-1)

    def grow(self, log_p: torch.Tensor, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """log p of the words one character longer, −inf where not followed, and (P,) of what is no square.

        log_p: (P, 9), (P, 9, 10) or (P, 9, 10, 9); keep: bool of the same shape, the beginnings to follow.
        """
        index = keep.nonzero()  # (N, depth + 1)
        parent = torch.full(self.shape, -1).index_put(tuple(self.index.T), torch.arange(len(self.index)))
        above = self.trail[parent[tuple(index[:, :-1].T)]]  # (N, depth − 1)
        token = index[:, -1] + (11 if index.shape[1] % 2 == 0 else 1)
        at, ply = self.past + torch.arange(len(index)), index[:, 0]
        self.trail = torch.cat([above, at[:, None]], 1)
        mask = torch.arange(self.past + len(index)) < self.seen[ply][:, None]
        mask.scatter_(1, self.trail, True)
        device = self.model.device
        out = self.model(
            token[None].to(device), position_ids=(self.seen[ply] + above.shape[1])[None].to(device),
            attention_mask=mask[None, None].to(device), past_key_values=self.cache, use_cache=True,
        ).logits[0].float().log_softmax(-1).cpu()
        self.past, self.shape, self.index = self.past + len(index), keep.shape, index
        files = index.shape[1] % 2 == 1  # after file and rank comes a file
        good, here = out[:, 11:] if files else out[:, 1:11], log_p[tuple(index.T)]
        longer = torch.full((*keep.shape, good.shape[1]), -math.inf).index_put(tuple(index.T), here[:, None] + good)
        strays = (here.exp() * (1 - good.exp().sum(-1))).clamp(min=0)
        return longer, torch.zeros(len(self.seen)).index_add(0, ply, strays)


# ---- the sighted model


@torch.inference_mode()
def sighted_moves(model: SightedModel, position: Position, plies: list[int], style: int) -> torch.Tensor:
    """(P, 8100) probability of every move, absolute, at some plies of a game, read as `Sight.look` reads."""
    size, keys, device = model.config.n_positions, window(position, len(position.moves) + 1), model.device
    first = max(0, min(plies) + 1 - size)
    boards, last = (torch.tensor(column, device=device) for column in zip(*keys[first : max(plies) + 1], strict=True))
    squares, seen = model.encode(boards, last)
    memory = []
    for ply in plies:
        span = slice(max(0, ply + 1 - size) - first, ply + 1 - first)
        tokens = last[None, span]
        memory.append(model.remember(seen[None, span], tokens, torch.full_like(tokens, style))[:, -1])
    rows = torch.tensor(plies, device=device) - first
    policy = model.decide(squares[rows], torch.cat(memory)).policy.float().softmax(-1).cpu()
    start = position.turn ^ len(position.moves) & 1
    black = torch.tensor([(start + ply) % 2 == 1 for ply in plies])
    return torch.where(black[:, None], policy.flip(-1), policy)


# ---- both


def sort(position: Position, p: torch.Tensor, malformed: float = 0.0) -> Saying:
    """What a model says here, from the probability (8100,) of all moves, into legal moves and broken rules."""
    legal = position.legal_moves()
    wrong = p.clone()
    wrong[legal] = 0
    broken, named = ({"word": malformed} if malformed else {}), []
    for move in (wrong > SORTED).nonzero()[:, 0].tolist():
        rule, share = breach(position, move), float(wrong[move])
        broken[rule] = broken.get(rule, 0.0) + share
        named.append((iccs(move), share, rule))
    named.sort(key=lambda one: -one[1])
    policy = dict(zip(legal, p[legal].tolist(), strict=True))
    rest = max(0.0, 1.0 - sum(policy.values()) - sum(broken.values()))
    return Saying(policy, named[:SHOWN], broken, rest)


def positions(moves: tuple[int, ...], plies: list[int]) -> list[Position]:
    """The position after so many of the moves, for each of `plies`."""
    return [play("", moves[:ply]) for ply in plies]


def check_line(moves: tuple[int, ...]) -> tuple[int, ...]:
    """The line, if the faithful model can read the whole of it."""
    if len(moves) > PLIES:
        raise InputError("game", f"最多 {PLIES} 着：faithful 一次只读得下这么多。",
                         f"at most {PLIES} plies: faithful reads no more at once.")
    return moves


def shares(count: int, at: int) -> list[list[int]]:
    """The positions of a line of `count` plies in the order in which they are asked: `at` alone, then by slices."""
    slices = [list(range(first, min(first + SLICE, count + 1))) for first in range(0, count + 1, SLICE)]
    return [[at], *sorted(slices, key=lambda plies: at not in plies)]


def hear(moves: tuple[int, ...], plies: list[int], style: str) -> dict[str, list[Saying]]:
    """What each of MODELS says after so many plies of a line from the start; remembered."""
    check_line(moves)
    models = tuple(weights(level) for level in ("article", "sighted"))  # before the device's turn
    keys = {ply: (models, moves[:ply], style) for ply in plies}
    with _remembering:
        known = {ply: _remembered[key] for ply, key in keys.items() if key in _remembered}
    if missing := [ply for ply in plies if ply not in known]:
        said = _hear(moves[: max(missing)], missing, STYLES.index(style))
        known |= dict(zip(missing, said, strict=True))
        with _remembering:
            _remembered.update((keys[ply], known[ply]) for ply in missing)
            while len(_remembered) > KEPT:
                _remembered.popitem(last=False)
    return {model: [known[ply][number] for ply in plies] for number, model in enumerate(MODELS)}


_remembered: OrderedDict[tuple, tuple[Saying, Saying]] = OrderedDict()
_remembering = threading.Lock()


@accelerator.run(duration=10)
def _hear(moves: tuple[int, ...], plies: list[int], style: int) -> list[tuple[Saying, Saying]]:
    """(faithful's, sighted's) at every ply."""
    faithful, sighted = (weights(level).to(accelerator.device()) for level in ("article", "sighted"))
    at = positions(moves, plies)
    words, malformed = faithful_words(faithful, list(moves), plies, [p.legal_moves() for p in at])
    scored = sighted_moves(sighted, at[-1], plies, style)
    return [(sort(p, row, float(m)), sort(p, other))
            for p, row, m, other in zip(at, words, malformed, scored, strict=True)]
