"""The article's only experiment: a scalar encoder θ, a scalar predictor φ, and the flow of l = ½(φθ − θ̄)².

The target θ̄ equals θ, but whether the gradient knows that is the whole question (archives/7980).
With r = φθ − θ̄:
    φ' = −κ(rθ + λφ)                 the predictor, κ times as fast
    θ' = −a·rφ + b·r − λθ            a: the online branch, b: the gradient through the target
    stop_gradient a=1, b=0 · none a=1, b=1 · second_term a=0, b=1
From (φ, θ) = (0.6, 0.1) stop-gradient ends at (1, 0.8062), without it θ dies at φ = 0.6127.
Try first: `PRESETS`; then κ = 100 (θ still alive, at 0.128), then φ0 = 1.2 (collapses with stop-gradient).

With BYOL's target θ̄ is a moving average, θ̄ ← ρθ̄ + (1−ρ)θ at each unit of time. In continuous time it is a
third variable, θ̄' = (θ − θ̄)(1−ρ)/ρ from θ̄(0) = θ(0): ρ → 0 gives SimSiam back, ρ → 1 a target that never
moves. The present θ makes 1−ρ of the target, and so the gradient through the target is b·(1−ρ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from shared.experiment import choice, number

MODES = ("stop_gradient", "none", "second_term")
LIMITS = {
    "phi0": (-2.0, 2.0),
    "theta0": (-2.0, 2.0),
    "kappa": (0.1, 100),
    "weight_decay": (0.0, 0.5),
    "ema_rate": (0.0, 0.999),
}
COLLAPSED = 0.02  # |θ| below this at the end counts as collapsed; the closed form approaches 0 only exponentially
HORIZON = 1e5  # units of time; the solver's steps grow as the flow slows down, so a far horizon costs little


@dataclass(frozen=True)
class Toy:
    """One flow and one start of it."""

    mode: str = "stop_gradient"
    phi0: float = 0.6
    theta0: float = 0.1
    kappa: float = 1.0
    """The predictor's rate over the encoder's."""
    weight_decay: float = 0.0
    """λ, on both."""
    ema_rate: float = 0.0
    """ρ of BYOL's target; 0 is SimSiam."""

    def __post_init__(self):
        choice("mode", self.mode, MODES)
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))


PRESETS: dict[str, tuple[Toy, str, str]] = {
    "article": (Toy(), "文章的例子：θ 活到 0.806", "the article's run: θ lives, at 0.806"),
    "no_stop_gradient": (Toy("none"), "去掉 stop-gradient：θ 归零", "without stop-gradient: θ dies"),
    "second_term": (
        Toy("second_term"),
        "只留第二项：坍缩的快路",
        "second term alone: the fast road to collapse",
    ),
    "collapse_with": (
        Toy(phi0=1.2),
        "反例：有 stop-gradient 也坍缩",
        "counter-example: stop-gradient collapses",
    ),
    "survive_without": (
        Toy("none", theta0=0.6),
        "反例：没有它也不坍缩",
        "counter-example: survives without it",
    ),
    "fast_predictor": (
        Toy(kappa=100),
        "预测器快 100 倍：θ 几乎不动",
        "predictor 100 × as fast: θ hardly moves",
    ),
    "slow_predictor": (
        Toy(kappa=0.1),
        "预测器慢 10 倍：θ 长到 2.53",
        "predictor 10 × as slow: θ grows to 2.53",
    ),
    "decay_lives": (Toy(weight_decay=0.15), "权重衰减 0.15：停在 0.816", "weight decay 0.15: stops at 0.816"),
    "decay_dies": (
        Toy(weight_decay=0.2),
        "权重衰减 0.2：不动点走不到",
        "weight decay 0.2: its fixed point is missed",
    ),
}
"""Name → (settings, label in Chinese, label in English): the article's run and every counter-example."""


@dataclass(frozen=True)
class Picture:
    """Everything that one drawing needs; grids are indexed [row θ, column φ]."""

    phi: np.ndarray  # (W,)
    theta: np.ndarray  # (H,)
    flow_phi: np.ndarray  # (H, W), on the slice θ̄ = θ where the target is a moving average
    flow_theta: np.ndarray  # (H, W)
    end_theta: np.ndarray  # (H, W) |θ| at the end of the flow from each start
    time: np.ndarray  # (T,)
    path: np.ndarray  # (2, T) φ and θ
    end: tuple[float, float]

    @property
    def collapsed(self) -> np.ndarray:
        """(H, W) bool: the starts that end with θ = 0."""
        return self.end_theta < COLLAPSED


def _weights(toy: Toy) -> tuple[float, float]:
    """a and b of the module's docstring."""
    a, b = {"stop_gradient": (1, 0), "none": (1, 1), "second_term": (0, 1)}[toy.mode]
    return a, b * (1 - toy.ema_rate)


def velocity(state: np.ndarray, toy: Toy) -> np.ndarray:
    """Time derivative of (φ, θ) or (φ, θ, θ̄), each of any shape, stacked on the first axis."""
    a, b = _weights(toy)
    phi, theta, target = state[0], state[1], state[-1]
    residual = phi * theta - target
    out = np.empty_like(state)
    out[0] = -toy.kappa * (residual * theta + toy.weight_decay * phi)
    out[1] = (b - a * phi) * residual - toy.weight_decay * theta
    if len(state) == 3:
        out[2] = (theta - target) * (1 - toy.ema_rate) / toy.ema_rate
    return out


def _stiffness(state: np.ndarray, toy: Toy) -> np.ndarray:
    """A bound on the Jacobian's norm at each point: the reciprocal of the step that RK4 can take there."""
    a, b = _weights(toy)
    phi, theta, target = state[0], state[1], state[-1]
    residual, slope, tracking = phi * theta - target, phi - 1, 0.0
    if len(state) == 3:
        slope, tracking = phi, (1 - toy.ema_rate) / toy.ema_rate
    predictor = toy.kappa * (theta**2 + toy.weight_decay + np.abs(residual + theta * slope))
    encoder = np.abs((b - a * phi) * theta - a * residual) + np.abs((b - a * phi) * slope) + toy.weight_decay
    if len(state) == 3:  # what the target's own column adds
        predictor, encoder = predictor + toy.kappa * np.abs(theta), encoder + np.abs(b - a * phi)
    return predictor + encoder + tracking + 1e-9


def _start(phi: np.ndarray, theta: np.ndarray, toy: Toy) -> np.ndarray:
    return np.stack([phi, theta, theta] if toy.ema_rate > 0 else [phi, theta]).astype(float)


def trajectory(toy: Toy, horizon: float = HORIZON) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and states (2, T) of the flow from (φ0, θ0), to about 1e-8."""
    start = _start(np.array(toy.phi0), np.array(toy.theta0), toy)
    solution = solve_ivp(
        lambda _, state: velocity(state, toy), (0, horizon), start, method="LSODA", rtol=1e-8, atol=1e-10
    )
    return solution.t, solution.y[:2]


def basins(phi: np.ndarray, theta: np.ndarray, toy: Toy, steps: int = 150) -> np.ndarray:
    """|θ| at the end of the flow from every start of the grid (H, W), by RK4.

    Each start keeps its own clock, with steps as long as its stiffness allows: the flow is autonomous, so
    where it ends does not depend on the speed at which it is followed.
    """
    state = _start(*np.meshgrid(phi, theta), toy)
    for _ in range(steps):
        step = 1.5 / _stiffness(state, toy)
        k1 = velocity(state, toy)
        k2 = velocity(state + step / 2 * k1, toy)
        k3 = velocity(state + step / 2 * k2, toy)
        k4 = velocity(state + step * k3, toy)
        state = state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.abs(state[1])


def end_state(toy: Toy) -> tuple[float, float]:
    """Where the flow ends, (φ, θ): in closed form where λ = ρ = 0, else by integration."""
    if toy.weight_decay or toy.ema_rate or not toy.theta0:
        phi, theta = trajectory(toy)[1][:, -1]
        return float(phi), float(theta)
    return {"stop_gradient": _end_stop_gradient, "none": _end_none, "second_term": _end_second_term}[toy.mode](toy)


def _end_stop_gradient(toy: Toy) -> tuple[float, float]:
    """Conserved: φ²/κ − θ². Dead if φ0 > 0 and the hyperbola misses φ = 1, or φ0 < 0 and it stays below 0."""
    conserved = toy.phi0**2 / toy.kappa - toy.theta0**2
    if conserved >= 1 / toy.kappa or (toy.phi0 < 0 and conserved >= 0):
        return float(np.sign(toy.phi0) * np.sqrt(toy.kappa * conserved)), 0.0
    return 1.0, float(np.sign(toy.theta0) * np.sqrt(1 / toy.kappa - conserved))


def _end_none(toy: Toy) -> tuple[float, float]:
    """Conserved: (1−φ)²/κ − θ². The smaller of the two dies."""
    conserved = (1 - toy.phi0) ** 2 / toy.kappa - toy.theta0**2
    if conserved >= 0:
        return float(1 - np.sign(1 - toy.phi0) * np.sqrt(toy.kappa * conserved)), 0.0
    return 1.0, float(np.sign(toy.theta0) * np.sqrt(-conserved))


def _end_second_term(toy: Toy) -> tuple[float, float]:
    """Conserved: (1−φ)/κ − θ²/2. Either the predictor arrives at 1 in time, or θ is gone before."""
    conserved = (1 - toy.phi0) / toy.kappa - toy.theta0**2 / 2
    if conserved >= 0:
        return float(1 - toy.kappa * conserved), 0.0
    return 1.0, float(np.sign(toy.theta0) * np.sqrt(-2 * conserved))


def picture(toy: Toy, columns: int = 49, rows: int = 41) -> Picture:
    """Field, basins, path and end for one drawing, within 100 ms of computing."""
    phi = np.linspace(min(-0.5, toy.phi0 * 1.1), max(1.6, toy.phi0 * 1.1), columns)
    time, path = trajectory(toy)
    theta = np.linspace(min(-0.2, path[1].min() * 1.1), max(1.2, path[1].max() * 1.1), rows)
    flow = velocity(_start(*np.meshgrid(phi, theta), toy), toy)
    end = basins(phi, theta, toy)
    return Picture(phi, theta, flow[0], flow[1], end, time, path, end_state(toy))
