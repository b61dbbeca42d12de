"""The sighted model: whole moves as tokens, and at every ply a look at the board.

Three parts, so that each can be cached on its own:
  encode   a small bidirectional transformer over the at most 32 pieces of one position (no history), which is given
           what bears on what (`bearing`): a layer sums over the pieces that attack, guard or face a piece, beside
           attending to all;
  remember a causal GPT-2 trunk over plies; a ply's input is the last move's token, what `encode` saw, and a
           style token that says whom to imitate;
  decide   more layers over the pieces, told what the trunk remembers; every square then hears of the pieces that
           bear on it: logit(from, to) is the product of a vector of the square left and one of the square reached.
           A head gives win, draw and loss.
All 2,086 geometrically possible moves compete: nothing masks the illegal ones, so the mass on them is the
model's own. Everything is in the mover's view (`replay`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from transformers import Cache, GPT2Config, GPT2Model, GPT2PreTrainedModel
from transformers import initialization as init

from spaces.xiangqi.bearing import AMONG, AROUND, SLOTS, Pieces, lay_out
from spaces.xiangqi.replay import NO_MOVE
from spaces.xiangqi.rules import ALL_MOVES
from spaces.xiangqi.styles import STYLES

CELLS = 15


class SightedConfig(GPT2Config):
    """GPT-2's configuration for the trunk over plies, and the sizes of the pieces' transformer."""

    model_type = "xiangqi-sighted"

    def __init__(self, piece_width: int = 192, piece_heads: int = 6, attention_width: int = 96,
                 relation_width: int = 96, piece_inner: int = 768, encoder_layers: int = 6, decoder_layers: int = 2,
                 pool_width: int = 384, policy_width: int = 96, **gpt2):
        defaults = {"vocab_size": NO_MOVE + 1, "n_positions": 32, "n_embd": 320, "n_layer": 6, "n_head": 5,
                    "bos_token_id": NO_MOVE, "eos_token_id": NO_MOVE, "attn_pdrop": 0.0, "use_cache": False}
        super().__init__(**(defaults | gpt2))
        self.piece_width, self.piece_heads, self.piece_inner = piece_width, piece_heads, piece_inner
        self.attention_width, self.relation_width = attention_width, relation_width
        self.encoder_layers, self.decoder_layers = encoder_layers, decoder_layers
        self.pool_width, self.policy_width = pool_width, policy_width


class Decision(NamedTuple):
    """moves: logits (…, 2086) of `ALL_MOVES`; wdl: logits (…, 3); pseudo: bool (…, 2086), the pseudo-legal moves, which
    a loss may ask for and no logit is told."""

    moves: torch.Tensor
    wdl: torch.Tensor
    pseudo: torch.Tensor

    @property
    def policy(self) -> torch.Tensor:
        """Logits (…, 8100) of 90·from + to, −inf where no piece can ever move so."""
        out = self.moves.new_full((*self.moves.shape[:-1], 8100), float("-inf"))
        out[..., list(ALL_MOVES)] = self.moves
        return out


@dataclass(frozen=True)
class Scene:
    """N encoded positions, all that `decide` needs of them: x (N, 32, D), and the fields of `Pieces` but `cell`.

    Rows are taken as a tensor's are: scene[-1:], scene[rows].
    """

    x: torch.Tensor
    square: torch.Tensor
    slot: torch.Tensor
    among: torch.Tensor
    around: torch.Tensor
    pseudo: torch.Tensor

    def __getitem__(self, rows: slice | torch.Tensor) -> Scene:
        return Scene(*(value[rows] for value in vars(self).values()))


class PieceMixing(nn.Module):
    """Every piece attends to every piece, and sums up, relation by relation, those it stands in a relation to."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width, self.heads = config.piece_width, config.piece_heads
        self.qkv = nn.Linear(width, 3 * config.attention_width)
        self.relate = nn.Linear(width, AMONG * config.relation_width, bias=False)
        self.out = nn.Linear(config.attention_width + config.relation_width, width)

    def forward(self, x: torch.Tensor, nobody: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
        """(N, 32, D) → (N, 32, D); nobody: 0, or much less for empty slots, (N, 1, 1, 32)."""
        n, slots, _ = x.shape
        # Bare products: 32 tokens are few, and on a CPU in bf16 they train faster than SDPA's kernel.
        q, k, v = self.qkv(x).view(n, slots, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weight = (q @ k.mT * q.shape[-1] ** -0.5 + nobody).softmax(-1).to(v.dtype)
        attended = (weight @ v).transpose(1, 2).flatten(2)
        related = among @ self.relate(x).view(n, slots * AMONG, -1)
        return self.out(torch.cat([attended, related / 2], -1))


class PieceBlock(nn.Module):
    """A pre-LN layer over pieces."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width = config.piece_width
        self.ln_1, self.mixing = nn.LayerNorm(width), PieceMixing(config)
        self.ln_2, self.up = nn.LayerNorm(width), nn.Linear(width, config.piece_inner)
        self.down = nn.Linear(config.piece_inner, width)

    def forward(self, x: torch.Tensor, nobody: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
        x = x + self.mixing(self.ln_1(x), nobody, among)
        return x + self.down(F.relu(self.up(self.ln_2(x))).square())


def _nobody(square: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What attention adds for slots without a piece, (N, 1, 1, 32)."""
    return torch.where(square < 90, 0.0, -1e4)[:, None, None].to(dtype)


class PieceEncoder(nn.Module):
    """Pieces and last move → pieces (N, 32, D) and their summary (N, trunk width)."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width = config.piece_width
        self.piece = nn.Embedding(CELLS * 91, width)
        self.origin = nn.Embedding(91, width)
        self.blocks = nn.ModuleList(PieceBlock(config) for _ in range(config.encoder_layers))
        self.ln, self.pool = nn.LayerNorm(width), nn.Linear(width, config.pool_width)
        self.summary = nn.Linear(config.pool_width, config.n_embd)

    def forward(self, pieces: Pieces, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """ends: int64 (N, 2), squares of the last move, 90 for none: the piece that made it knows whence it came."""
        moved = (pieces.square == ends[:, 1:]) & (ends[:, 1:] < 90)
        x = self.piece(91 * pieces.cell + pieces.square) + moved[..., None] * self.origin(ends[:, :1])
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        nobody, among = _nobody(pieces.square, x.dtype), pieces.among.to(x.dtype)
        for block in self.blocks:
            x = block(x, nobody, among)
        there = (pieces.square < 90)[..., None]
        return x, self.summary((F.relu(self.pool(self.ln(x))).square() * there).mean(1))


class PieceDecoder(nn.Module):
    """Pieces and the trunk's memory → policy over (from, to) and win, draw, loss."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width, trunk, policy = config.piece_width, config.n_embd, config.policy_width
        self.tell = nn.Linear(trunk, width)
        self.blocks = nn.ModuleList(PieceBlock(config) for _ in range(config.decoder_layers))
        self.ln = nn.LayerNorm(width)
        self.ends = nn.Linear(width, 2 * policy)
        self.ends_of_trunk = nn.Linear(trunk, 2 * policy, bias=False)
        self.place = nn.Parameter(torch.zeros(90, 2 * policy))
        self.bear = nn.Linear(width, AROUND * policy, bias=False)
        self.ln_square, self.square_up = nn.LayerNorm(policy), nn.Linear(policy, 2 * policy)
        self.square_down = nn.Linear(2 * policy, policy)
        self.static = nn.Parameter(torch.zeros(NO_MOVE))
        self.value_in, self.value_out = nn.Linear(width + trunk, 128), nn.Linear(128, 3)
        self.register_buffer("moves", torch.tensor(ALL_MOVES))

    def _squares(self, scene: Scene, x: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (N, 90, policy width) of every square as one left and as one reached."""
        n = len(x)
        ends = F.pad(self.ends(x), (0, 0, 0, 1)).flatten(0, 1)
        at = torch.arange(n, device=x.device)[:, None] * (SLOTS + 1) + scene.slot
        ends = ends.index_select(0, at.flatten()).view(n, 90, -1) + self.place.to(x.dtype)
        left, reached = (ends + self.ends_of_trunk(memory)[:, None]).chunk(2, -1)
        reached = reached + scene.around.to(x.dtype) @ self.bear(x).view(n, SLOTS * AROUND, -1)
        return left, reached + self.square_down(F.relu(self.square_up(self.ln_square(reached))).square())

    def forward(self, scene: Scene, memory: torch.Tensor) -> Decision:
        """scene: of N positions; memory: (N, trunk width)."""
        x = scene.x + self.tell(memory)[:, None]
        nobody, among = _nobody(scene.square, x.dtype), scene.among.to(x.dtype)
        for block in self.blocks:
            x = block(x, nobody, among)
        x = self.ln(x) * (scene.square < 90)[..., None]
        left, reached = self._squares(scene, x, memory)
        # Only the 2,086 in float: a softmax over 8,100 costs as much as a layer.
        logits = (left @ reached.mT).flatten(1).index_select(1, self.moves).float() * left.shape[-1] ** -0.5
        seen = torch.cat([x.mean(1), memory.to(x.dtype)], -1)
        wdl = self.value_out(F.gelu(self.value_in(seen))).float()
        return Decision(logits + self.static.float(), wdl, scene.pseudo)


class SightedModel(GPT2PreTrainedModel):
    """Positions and moves in, policy and win/draw/loss out, for every ply of a window."""

    config_class = SightedConfig
    _supports_flash_attn = False

    def __init__(self, config: SightedConfig):
        super().__init__(config)
        self.encoder, self.decoder = PieceEncoder(config), PieceDecoder(config)
        self.trunk = GPT2Model(config)
        self.ln_seen = nn.LayerNorm(config.n_embd)
        self.style = nn.Embedding(len(STYLES), config.n_embd)
        ends = torch.tensor([[m // 90, m % 90] for m in ALL_MOVES] + [[90, 90]])
        self.register_buffer("move_ends", ends)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        depth = 2 * (self.config.encoder_layers + self.config.decoder_layers)
        inner, last = [], []
        if isinstance(module, PieceMixing):
            inner, last = [module.qkv, module.relate], [module.out]
        elif isinstance(module, PieceBlock):
            inner, last = [module.up], [module.down]
        elif isinstance(module, PieceEncoder):
            inner = [module.pool, module.summary]
            init.normal_(module.piece.weight, std=0.5)
            init.normal_(module.origin.weight, std=0.5)
        elif isinstance(module, PieceDecoder):
            inner = [module.tell, module.square_up]
            init.normal_(module.ends.weight, std=self.config.initializer_range)
            init.normal_(module.bear.weight, std=0.5 * module.bear.in_features**-0.5)
            init.normal_(module.place, std=0.1)
            init.zeros_(module.static)
        for linear in inner:
            init.normal_(linear.weight, std=linear.in_features**-0.5)
        for linear in last:
            init.normal_(linear.weight, std=(depth * linear.in_features) ** -0.5)

    def encode(self, board: torch.Tensor, last: torch.Tensor) -> tuple[Scene, torch.Tensor]:
        """(scene of N positions, seen (N, trunk width)) of boards (N, 90) and last moves' tokens (N,)."""
        pieces = lay_out(board)
        x, seen = self.encoder(pieces, self.move_ends[last])
        return Scene(x, pieces.square, pieces.slot, pieces.among, pieces.around, pieces.pseudo), seen

    def remember(self, seen: torch.Tensor, last: torch.Tensor, style: torch.Tensor,
                 cache: Cache | None = None) -> torch.Tensor:
        """The trunk's memory (B, T, trunk width) at each of T ≤ n_positions plies.

        seen: (B, T, trunk width) from `encode`; last, style: (B, T); cache: of earlier plies.
        """
        x = self.ln_seen(seen) + self.trunk.wte(last) + self.style(style)
        if cache is None and self.config._attn_implementation != "eager":
            # The same layers without transformers' mask builder, which asks the GPU a question at every call.
            x = self.trunk.drop(x + self.trunk.wpe.weight[: x.shape[1]])
            for block in self.trunk.h:
                x = block(x)
            return self.trunk.ln_f(x)
        out = self.trunk(inputs_embeds=x, past_key_values=cache, use_cache=cache is not None)
        return out.last_hidden_state

    def decide(self, scene: Scene, memory: torch.Tensor) -> Decision:
        """Policy and win/draw/loss logits of N positions."""
        return self.decoder(scene, memory)

    def forward(self, board: torch.Tensor, last: torch.Tensor, style: torch.Tensor,
                alone: int = 0) -> Decision:
        """Decisions (B, T, …) for windows: board (B, T, 90), last and style (B, T).

        The last `alone` windows are read without history, each ply as the first of its own window.
        """
        b, t = last.shape
        scene, seen = self.encode(board.flatten(0, 1), last.flatten())
        seen, together = seen.view(b, t, -1), b - alone
        parts = []
        if together:
            parts.append(self.remember(seen[:together], last[:together], style[:together]).flatten(0, 1))
        if alone:
            one = (alone * t, 1)
            memory = self.remember(seen[together:].reshape(*one, -1), last[together:].reshape(one),
                                   style[together:].reshape(one))
            parts.append(memory.flatten(0, 1))
        return Decision(*(part.view(b, t, -1) for part in self.decide(scene, torch.cat(parts))))
