"""The sighted model: whole moves as tokens, and at every ply a look at the board.

Three parts, so that each can be cached on its own:
  encode   a small bidirectional transformer over the 90 squares of one position (no history);
  remember a causal GPT-2 trunk over plies; a ply's input is the last move's token, what `encode` saw, and a
           style token that says whom to imitate;
  decide   two more layers over the squares, told what the trunk remembers: logit(from, to) is the product of
           a vector of the square left and one of the square reached; a head gives win, draw and loss.
All 2,086 geometrically possible moves compete: nothing masks the illegal ones, so the mass on them is the
model's own. Everything is in the mover's view (`replay`). About 257 MFLOP a position.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from transformers import Cache, GPT2Config, GPT2Model, GPT2PreTrainedModel
from transformers import initialization as init
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from spaces.xiangqi.replay import MOVE_TOKEN, NO_MOVE
from spaces.xiangqi.rules import ALL_MOVES

STYLES = ("human", "winner", "engine")
HUMAN, WINNER, ENGINE = range(3)
PIECES = 15


class SightedConfig(GPT2Config):
    """GPT-2's configuration for the trunk over plies, and the sizes of the squares' transformer."""

    model_type = "xiangqi-sighted"

    def __init__(self, square_width: int = 128, square_heads: int = 4, encoder_layers: int = 4,
                 decoder_layers: int = 2, pool_width: int = 16, policy_width: int = 64, **gpt2):
        defaults = {"vocab_size": NO_MOVE + 1, "n_positions": 32, "n_embd": 320, "n_layer": 6, "n_head": 5,
                    "bos_token_id": NO_MOVE, "eos_token_id": NO_MOVE, "attn_pdrop": 0.0, "use_cache": False}
        super().__init__(**(defaults | gpt2))
        self.square_width, self.square_heads = square_width, square_heads
        self.encoder_layers, self.decoder_layers = encoder_layers, decoder_layers
        self.pool_width, self.policy_width = pool_width, policy_width


class Decision(NamedTuple):
    """policy: logits (…, 8100) of 90·from + to, −inf where no piece can ever move so; wdl: logits (…, 3)."""

    policy: torch.Tensor
    wdl: torch.Tensor


class SquareAttention(nn.Module):
    """Every square sees every square; a learned vector per square and head lets geometry speak for itself."""

    is_causal = False
    num_key_value_groups = 1

    def __init__(self, config: SightedConfig):
        super().__init__()
        width, self.heads = config.square_width, config.square_heads
        self.config = config
        self.qkv = nn.Linear(width, 3 * width)
        self.place = nn.Parameter(torch.zeros(90, 2 * width))
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 90, D) → (N, 90, D)"""
        n, squares, width = x.shape
        qkv, size = self.qkv(x), width // self.heads
        qkv = qkv + F.pad(self.place, (0, width)).to(qkv.dtype)
        q, k, v = qkv.view(n, squares, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        if self.config._attn_implementation == "eager":
            # On a CPU in bf16 the bare products train twice as fast as with SDPA's fused kernel.
            y = ((q @ k.mT * size**-0.5).softmax(-1).to(v.dtype) @ v).transpose(1, 2)
        else:
            attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
            y, _ = attend(self, q, k, v, None, dropout=0.0, scaling=size**-0.5, is_causal=False)
        return self.out(y.reshape(n, squares, width))


class SquareBlock(nn.Module):
    """A pre-LN transformer layer over squares."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width = config.square_width
        self.ln_1, self.attention = nn.LayerNorm(width), SquareAttention(config)
        self.ln_2, self.up = nn.LayerNorm(width), nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.ln_1(x))
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class SquareEncoder(nn.Module):
    """Board and last move → squares (N, 90, D) and their summary (N, trunk width)."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width = config.square_width
        self.piece = nn.Parameter(torch.zeros(90, PIECES + 1, width))  # 16: aligned for the tensor cores
        self.mark = nn.Parameter(torch.zeros(2, width))
        self.blocks = nn.ModuleList(SquareBlock(config) for _ in range(config.encoder_layers))
        self.ln = nn.LayerNorm(width)
        self.pool = nn.Linear(width, config.pool_width)
        self.summary = nn.Linear(90 * config.pool_width, config.n_embd)

    def forward(self, board: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """board: int64 (N, 90); ends: int64 (N, 2), squares of the last move, 90 for none."""
        # A product of one-hots instead of an embedding: its gradient is a product too, without atomic adds.
        x = torch.einsum("nsp,spd->nsd", F.one_hot(board, PIECES + 1).to(self.piece.dtype), self.piece)
        squares = torch.arange(90, device=board.device)
        marks = (ends[:, None, :] == squares[None, :, None]).to(self.mark.dtype)
        x = x + marks @ self.mark
        for block in self.blocks:
            x = block(x)
        return x, self.summary(F.gelu(self.pool(self.ln(x)).flatten(1)))


class SquareDecoder(nn.Module):
    """Squares and the trunk's memory → policy over (from, to) and win, draw, loss."""

    def __init__(self, config: SightedConfig):
        super().__init__()
        width, trunk, policy = config.square_width, config.n_embd, config.policy_width
        self.tell = nn.Linear(trunk, width)
        self.blocks = nn.ModuleList(SquareBlock(config) for _ in range(config.decoder_layers))
        self.ln = nn.LayerNorm(width)
        self.ends = nn.Linear(width, 2 * policy)
        self.ends_of_trunk = nn.Linear(trunk, 2 * policy, bias=False)
        self.static = nn.Parameter(torch.zeros(8100))
        self.value_in, self.value_out = nn.Linear(width + trunk, 128), nn.Linear(128, 3)
        self.register_buffer("possible", MOVE_TOKEN >= 0)

    def forward(self, squares: torch.Tensor, memory: torch.Tensor) -> Decision:
        """squares: (N, 90, D); memory: (N, trunk width)."""
        x = squares + self.tell(memory)[:, None]
        for block in self.blocks:
            x = block(x)
        x = self.ln(x)
        left, reached = (self.ends(x) + self.ends_of_trunk(memory)[:, None]).chunk(2, -1)
        logits = (left @ reached.transpose(1, 2)).flatten(1).float() * left.shape[-1] ** -0.5
        policy = (logits + self.static.float()).masked_fill(~self.possible, float("-inf"))
        seen = torch.cat([x.mean(1), memory.to(x.dtype)], -1)
        return Decision(policy, self.value_out(F.gelu(self.value_in(seen))).float())


class SightedModel(GPT2PreTrainedModel):
    """Positions and moves in, policy and win/draw/loss out, for every ply of a window."""

    config_class = SightedConfig
    _supports_flash_attn = False

    def __init__(self, config: SightedConfig):
        super().__init__(config)
        self.encoder, self.decoder = SquareEncoder(config), SquareDecoder(config)
        self.trunk = GPT2Model(config)
        self.ln_seen = nn.LayerNorm(config.n_embd)
        self.style = nn.Embedding(len(STYLES), config.n_embd)
        ends = torch.tensor([[m // 90, m % 90] for m in ALL_MOVES] + [[90, 90]])
        self.register_buffer("move_ends", ends)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, SquareAttention):
            init.normal_(module.place, std=0.1)
        elif isinstance(module, SquareBlock):
            depth = self.config.encoder_layers + self.config.decoder_layers
            for linear in (module.attention.qkv, module.up):
                init.normal_(linear.weight, std=linear.in_features**-0.5)
            for linear in (module.attention.out, module.down):
                init.normal_(linear.weight, std=(2 * depth * linear.in_features) ** -0.5)
        elif isinstance(module, SquareEncoder):
            init.normal_(module.piece, std=0.5)
            init.normal_(module.mark, std=0.5)
            init.normal_(module.pool.weight, std=module.pool.in_features**-0.5)
            init.normal_(module.summary.weight, std=module.summary.in_features**-0.5)
        elif isinstance(module, SquareDecoder):
            init.normal_(module.ends.weight, std=std)
            init.zeros_(module.static)

    def encode(self, board: torch.Tensor, last: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(squares (N, 90, D), seen (N, trunk width)) of boards (N, 90) and last moves' tokens (N,)."""
        return self.encoder(board.long(), self.move_ends[last])

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

    def decide(self, squares: torch.Tensor, memory: torch.Tensor) -> Decision:
        """Policy (N, 8100) and win/draw/loss (N, 3) logits."""
        return self.decoder(squares, memory)

    def forward(self, board: torch.Tensor, last: torch.Tensor, style: torch.Tensor,
                alone: int = 0) -> Decision:
        """Decisions (B, T, …) for windows: board (B, T, 90), last and style (B, T).

        The last `alone` windows are read without history, each ply as the first of its own window.
        """
        b, t = last.shape
        squares, seen = self.encode(board.flatten(0, 1), last.flatten())
        seen, together = seen.view(b, t, -1), b - alone
        parts = []
        if together:
            parts.append(self.remember(seen[:together], last[:together], style[:together]).flatten(0, 1))
        if alone:
            one = (alone * t, 1)
            memory = self.remember(seen[together:].reshape(*one, -1), last[together:].reshape(one),
                                   style[together:].reshape(one))
            parts.append(memory.flatten(0, 1))
        policy, wdl = self.decide(squares, torch.cat(parts))
        return Decision(policy.view(b, t, -1), wdl.view(b, t, -1))
