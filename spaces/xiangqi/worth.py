"""What a piece is worth on a square: a linear evaluation fitted to the engine's labels, for alpha–beta's leaves.

    python -m spaces.xiangqi.worth --data ../shared/data/xiangqi/labelled.jsonl.xz

Two tables (7, 90) of centipawns, for a full board and for an empty one, mixed by how much is left; left–right
symmetric; the same for black, turned round. Fitted by gradient descent so that 2σ(x / CP_SCALE) − 1 of the sum is near
that of the label, on quiet training positions: the side to move is not in check, and the best move takes nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("worth.json")
SHARE = (0, 0, 0, 0, 3, 6, 3, 0)
"""How much of the phase K A B N R C P are, after 0 for none; a full board holds FULL."""
FULL = 48


def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Early and late worth int32 (16, 90) for red, negative for black's pieces, and the shares int32 (16,)."""
    data = json.loads(FILE.read_text("utf-8"))
    out = []
    for name in ("early", "late"):
        red = np.array(data[name], np.int32)
        whole = np.zeros((16, 90), np.int32)
        whole[1:8], whole[9:16] = red, -red[:, ::-1]
        out.append(whole)
    return out[0], out[1], np.array(SHARE * 2, np.int32)


def quiet(games) -> tuple:
    """Boards uint8 (N, 90) in the mover's view and scores float32 (N,) of the quiet labelled positions of `Games`."""
    import torch

    from spaces.xiangqi.batches import MATE_CP, Corpus
    from spaces.xiangqi.board import KING
    from spaces.xiangqi.rules import attacked

    corpus = Corpus(games, "cpu")
    ply = torch.arange(len(corpus.board)) - corpus.start[corpus.game]
    best = torch.where(ply % 2 == 1, 8099 - corpus.best.long(), corpus.best.long())
    at = corpus.labels[corpus.cp[corpus.labels].abs() < MATE_CP]
    at = at[corpus.board[at, best[at] % 90] == 0]
    boards = [[cell + (cell > 7) for cell in board] for board in corpus.board[at].tolist()]
    at = at[torch.tensor([not attacked(board, board.index(KING), 0) for board in boards])]
    return corpus.board[at], corpus.cp[at].float()


def fit(boards, scores, epochs: int = 12, batch: int = 8192):
    """Tables float (2, 7, 90), early and late, of `quiet` positions."""
    import torch

    from spaces.xiangqi.batches import CP_SCALE

    start = torch.tensor([0.0, 120, 120, 400, 900, 450, 100])
    half = start[None, :, None, None].repeat(2, 1, 10, 9).requires_grad_()
    tempo, share = torch.zeros((), requires_grad=True), torch.tensor(SHARE * 2)[[*range(8), *range(9, 16)]]
    optimiser = torch.optim.Adam([{"params": [half], "lr": 8.0}, {"params": [tempo], "lr": 4.0}])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * (len(boards) // batch))
    squares = torch.arange(90)
    for epoch in range(epochs):
        order, total = torch.randperm(len(boards)), 0.0
        for chosen in order[: len(order) // batch * batch].view(-1, batch):
            own = ((half + half.flip(-1)) / 2).flatten(2)
            table = torch.cat([torch.zeros(2, 1, 90), own, -own.flip(-1)], 1).flatten(1)
            board = boards[chosen].long()
            early, late = (part[board * 90 + squares].sum(-1) for part in table)
            phase = (share[board].sum(-1) / FULL).clamp(max=1)
            said = tempo + phase * early + (1 - phase) * late
            loss = (torch.tanh(said / 2 / CP_SCALE) - torch.tanh(scores[chosen] / 2 / CP_SCALE)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / (len(boards) // batch):.4f}, tempo {tempo.item():.0f}", flush=True)
    return ((half + half.flip(-1)) / 2).flatten(2).detach()


def main() -> None:
    from spaces.xiangqi.data import read_games

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi/labelled.jsonl.xz"))
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    games = read_games(args.data)
    boards, scores = quiet(games.select(~games.validation))
    early, late = fit(boards, scores).round().int().tolist()
    args.out.write_text(json.dumps({"early": early, "late": late}) + "\n", "utf-8")
    print(json.dumps({"positions": len(boards), "out": str(args.out)}))


if __name__ == "__main__":
    main()
