"""Training batches, assembled where the data lies: all boards stay on the device as bytes.

A window is `plies` consecutive plies of one game, in the mover's view, half of them mirrored left to right.
Human windows teach the move played (a share of them only the eventual winner's moves, under the style
`winner`) and the game's result; labelled windows teach the engine's move and its score, whatever was played.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from spaces.xiangqi.data import NO_LABEL, NO_RESULT, Games
from spaces.xiangqi.replay import MIRROR_MOVE, MOVE_TOKEN, NO_MOVE, replay
from spaces.xiangqi.rules import ALL_MOVES
from spaces.xiangqi.styles import ENGINE, HUMAN, WINNER

# P(win) = σ((cp − DRAW) / SCALE), P(loss) likewise of −cp. Fitted by maximum likelihood to the results of
# 4,980 human games at a position labelled by the engine (1.011 nats; the frequencies alone 1.099).
CP_DRAW, CP_SCALE = 232.0, 287.0
MATE_CP = 29000
WINNER_SHARE, NO_LAST_SHARE = 0.0625, 0.25
LEAD = 8
HUMAN_VALUE_WEIGHT = 0.3


class Batch(NamedTuple):
    """board (B, T, 90) uint8; last (tokens), style (B, T); target (B, T), 90·from + to, or −100 for nothing to
    learn; wdl (B, T, 3) probabilities; weight (B, T) of wdl."""

    board: torch.Tensor
    last: torch.Tensor
    style: torch.Tensor
    target: torch.Tensor
    wdl: torch.Tensor
    weight: torch.Tensor


def wdl_of_cp(cp: torch.Tensor) -> torch.Tensor:
    """Probabilities of win, draw, loss (…, 3) for the side to move, of its score in centipawns."""
    cp = cp.float()
    win, loss = torch.sigmoid((cp - CP_DRAW) / CP_SCALE), torch.sigmoid((-cp - CP_DRAW) / CP_SCALE)
    mate = cp.abs() >= MATE_CP
    win, loss = torch.where(mate, (cp > 0).float(), win), torch.where(mate, (cp < 0).float(), loss)
    return torch.stack([win, 1 - win - loss, loss], -1)


class Corpus:
    """Games on a device: boards and moves before every ply, and where each game begins."""

    def __init__(self, games: Games, device: torch.device | str):
        lengths = torch.from_numpy(games.lengths).long()
        self.board, self.move = replay(torch.from_numpy(games.moves).to(device), lengths)
        self.length = lengths.to(device)
        self.start = self.length.cumsum(0) - self.length
        self.game = torch.repeat_interleave(torch.arange(len(lengths), device=device), self.length)
        self.result = torch.from_numpy(games.result).long().to(device)
        self.best = torch.from_numpy(games.best).to(device)
        self.cp = torch.from_numpy(games.cp).to(device)
        self.labels = (self.best != NO_LABEL).nonzero().flatten()
        self.first_label = self.length - torch.zeros_like(self.length).index_add_(
            0, self.game[self.labels], torch.ones_like(self.labels))
        self.tokens, self.mirror = MOVE_TOKEN.to(device), MIRROR_MOVE.to(device)
        mirrored = self.tokens[self.mirror[list(ALL_MOVES)]]
        self.mirror_token = torch.cat([mirrored, mirrored.new_tensor([NO_MOVE])])

    def anchors(self, count: int, labelled: bool) -> torch.Tensor:
        """Random plies (count,), every ply (or label) as likely as any other."""
        pool = len(self.labels) if labelled else len(self.board)
        at = torch.randint(pool, (count,), device=self.board.device)
        return self.labels[at] if labelled else at

    def windows(self, anchor: torch.Tensor, plies: int, lead: int | None = None) -> torch.Tensor:
        """First plies (B,), within their games, of random windows around the anchors.

        lead: at most so many plies before the first label, to waste little on what teaches nothing.
        """
        game = self.game[anchor]
        first = anchor - self.start[game] - torch.randint(plies, anchor.shape, device=anchor.device)
        if lead is not None:
            first = first.maximum(self.first_label[game] - lead)
        return first.clamp(min=0).minimum((self.length[game] - plies).clamp(min=0))

    def batch(self, game: torch.Tensor, first: torch.Tensor, plies: int, style: torch.Tensor) -> Batch:
        """Windows (B,) of `plies` plies as one batch; style (B,) decides what is taught."""
        ply = first[:, None] + torch.arange(plies, device=first.device)
        inside = ply < self.length[game][:, None]
        at = self.start[game][:, None] + ply.minimum(self.length[game][:, None] - 1)
        board = self.board[at]
        # The opponent's last move, turned to the mover's side.
        last = torch.where(ply > 0, self.tokens[8099 - self.move[(at - 1).clamp(min=0)].long()], NO_MOVE)
        black = ply % 2
        engine = (style == ENGINE)[:, None]
        best = self.best[at].long()
        labelled = best != NO_LABEL
        target = torch.where(engine, torch.where(black == 1, 8099 - best, best), self.move[at].long())
        result = self.result[game][:, None] * (1 - 2 * black)
        taught = inside & torch.where(engine, labelled, (style == HUMAN)[:, None] | (result == 1))
        known = inside & (self.result[game] != NO_RESULT)[:, None] & (style == HUMAN)[:, None]
        of_result = torch.stack([result == 1, result == 0, result == -1], -1).float()
        wdl = torch.where(engine[..., None], wdl_of_cp(self.cp[at]), of_result)
        weight = torch.where(engine, (inside & labelled).float(), HUMAN_VALUE_WEIGHT * known.float())
        target = target.masked_fill(~taught, -100)
        return Batch(board, last, style[:, None].expand_as(last), target, wdl, weight)

    def mirrored(self, batch: Batch, which: torch.Tensor) -> Batch:
        """The batch with the windows of the boolean mask (B,) mirrored left to right."""
        flipped = batch.board.unflatten(-1, (10, 9)).flip(-1).flatten(-2)
        board = torch.where(which[:, None, None], flipped, batch.board)
        last = torch.where(which[:, None], self.mirror_token[batch.last], batch.last)
        moved = torch.where(batch.target >= 0, self.mirror[batch.target.clamp(min=0)], batch.target)
        return batch._replace(board=board, last=last, target=torch.where(which[:, None], moved, batch.target))


def random_batch(human: Corpus, labelled: Corpus, windows: int, plies: int, labelled_share: float,
                 alone: int) -> Batch:
    """A training batch: human and labelled windows in random order, so that any part of it is a fair mix.

    The last `alone` windows are for reading without history: half of their plies forget the last move too.
    """
    device = human.board.device
    many = round(windows * labelled_share)
    parts = []
    for corpus, count, is_labelled in ((human, windows - many, False), (labelled, many, True)):
        anchor = corpus.anchors(count, is_labelled)
        style = torch.full((count,), ENGINE if is_labelled else HUMAN, device=device)
        if not is_labelled:
            style[: round(count * WINNER_SHARE)] = WINNER
        first = corpus.windows(anchor, plies, LEAD if is_labelled else None)
        batch = corpus.batch(corpus.game[anchor], first, plies, style)
        parts.append(corpus.mirrored(batch, torch.rand(count, device=device) < 0.5))
    order = torch.randperm(windows, device=device)
    batch = Batch(*(torch.cat(pair)[order] for pair in zip(*parts, strict=True)))
    return batch._replace(last=_forgetful(batch.last, alone))


def _forgetful(last: torch.Tensor, alone: int) -> torch.Tensor:
    """Last moves (B, T) with gaps, as after a FEN: some first plies forget, and half of those read alone."""
    dice = torch.rand(last.shape, device=last.device)
    forget = torch.zeros_like(last, dtype=torch.bool)
    forget[:, 0] = dice[:, 0] < NO_LAST_SHARE
    if alone:
        forget[-alone:] = dice[-alone:] < 0.5
    return last.masked_fill(forget, NO_MOVE)
