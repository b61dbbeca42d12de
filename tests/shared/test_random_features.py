"""The random features: unbiased, with the errors that the closed forms say."""

import math

import pytest
import torch

from shared.experiment import InputError
from shared.random_features import (
    DRAWS,
    KINDS,
    Features,
    chi_quantile,
    draw,
    feature_map,
    kernel_estimate,
    mse_hyperbolic,
    mse_positive,
    mse_trigonometric,
    orthogonal_directions,
)

MSE = {"positive": mse_positive, "trigonometric": mse_trigonometric, "hyperbolic": mse_hyperbolic}
DIM = 8


def pair(norm: float, cosine: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x and y (D,) of one norm with a given cosine, along no axis."""
    basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(7)))[0]
    return norm * basis[0], norm * (cosine * basis[0] + math.sqrt(1 - cosine**2) * basis[1])


def single_estimates(x: torch.Tensor, y: torch.Tensor, omega: torch.Tensor, kind: str) -> torch.Tensor:
    """What each ω (M, D) alone would estimate, (M,)."""
    draws = len(omega)
    products = feature_map(x, omega, kind) * feature_map(y, omega, kind)
    return products.reshape(-1, draws).sum(0) * draws


def over_seeds(kind: str, how: str, draws: int, seeds: int, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The estimate of e^{x·y} from each seed's draw, (seeds,)."""
    return torch.stack([kernel_estimate(x, y, draw(DIM, draws, how, seed), kind) for seed in range(seeds)])


def mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


@pytest.mark.parametrize("how", DRAWS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_draw_is_unbiased(kind, how):
    x, y = pair(0.7, 0.2)
    mean, error = mean_and_error(over_seeds(kind, how, 20, 250, x, y))
    truth = float((x @ y).exp())
    assert error < 0.03 * truth  # sharp enough to see a bias of an eighth
    assert abs(mean - truth) < 4 * error


@pytest.mark.parametrize("norm, cosine", [(0.5, -0.6), (0.6, 0.2), (0.5, 0.9)])
@pytest.mark.parametrize("kind", KINDS)
def test_error_of_independent_draws_is_the_closed_form(kind, norm, cosine):
    x, y = pair(norm, cosine)
    single = single_estimates(x, y, draw(DIM, 400_000, "iid", seed=1), kind)
    for draws in (1, 8):
        estimate = single.reshape(-1, draws).mean(1)
        mean, error = mean_and_error((estimate - (x @ y).exp()).square())
        assert error < 0.05 * mean
        assert abs(mean - float(MSE[kind](x, y, draws))) < 4 * error


def test_closed_forms_have_their_known_zeros_and_ratio():
    x, y = pair(1.0, 0.3)
    assert float(mse_positive(x, -x, 4)) == 0  # e^{−|x|²} exactly, from any ω
    assert float(mse_trigonometric(x, x, 4)) == 0  # sin² + cos² = 1
    omega = draw(DIM, 3, "iid", seed=5)
    assert kernel_estimate(x, -x, omega, "positive") == pytest.approx(math.exp(-1), rel=1e-5)
    assert kernel_estimate(x, x, omega, "trigonometric") == pytest.approx(math.e, rel=1e-5)
    shrink = float((1 - (-(x + y).square().sum()).exp()) / 2)
    assert float(mse_hyperbolic(x, y, 4) / mse_positive(x, y, 4)) == pytest.approx(shrink, rel=1e-5)


def test_hyperbolic_beats_positive_at_equal_features():
    x, y = pair(0.5, 0.2)
    error = {}
    for kind in ("positive", "hyperbolic"):
        features = Features(kind=kind, count=16)
        single = single_estimates(x, y, draw(DIM, 160_000, "iid", seed=2), kind)
        estimate = single.reshape(-1, features.draws).mean(1)
        assert feature_map(x, features.omega(DIM), kind).shape == (16,)
        error[kind] = mean_and_error((estimate - (x @ y).exp()).square())
        assert abs(error[kind][0] - float(MSE[kind](x, y, features.draws))) < 4 * error[kind][1]
    gap = error["positive"][0] - error["hyperbolic"][0]
    assert gap > 4 * math.hypot(error["positive"][1], error["hyperbolic"][1])


@pytest.mark.parametrize("kind", KINDS)
def test_orthogonal_directions_lower_the_error(kind):
    x, y = pair(0.7, 0.2)
    error = {}
    for how in ("iid", "orthogonal"):  # each block of DIM rows is a draw of its own
        single = single_estimates(x, y, draw(DIM, DIM * 40_000, how, seed=1), kind)
        error[how] = mean_and_error((single.reshape(-1, DIM).mean(1) - (x @ y).exp()).square())
    assert error["iid"][0] - error["orthogonal"][0] > 4 * math.hypot(error["iid"][1], error["orthogonal"][1])


def test_stratified_norms_halve_the_trigonometric_error():
    x, y = pair(0.7, 0.2)
    orthogonal, stratified = (mean_and_error((over_seeds("trigonometric", how, 16, 250, x, y)
                                              - (x @ y).exp()).square()) for how in ("orthogonal", "stratified"))
    assert orthogonal[0] - stratified[0] > 4 * math.hypot(orthogonal[1], stratified[1])


@pytest.mark.parametrize("kind", ["positive", "hyperbolic"])
def test_weights_are_never_negative(kind):
    x = torch.randn(50, DIM, generator=torch.Generator().manual_seed(0))
    assert (kernel_estimate(x[:, None], x, draw(DIM, 16), kind) > 0).all()


@pytest.mark.parametrize("how", ["orthogonal", "stratified"])
def test_blocks_are_orthogonal(how):
    omega = draw(DIM, 2 * DIM + 3, how, seed=3)
    assert omega.shape == (19, DIM) and omega.dtype == torch.float32
    for block in (omega[:DIM], omega[DIM:2 * DIM], omega[2 * DIM:]):
        gram = block @ block.T
        assert torch.allclose(gram, gram.diagonal().diag(), atol=1e-5)


def test_directions_are_uniform_on_the_sphere():
    first = orthogonal_directions(4, 4 * 4000, torch.Generator().manual_seed(1)).reshape(-1, 4, 4)
    assert (first.mean(0).abs() < 4 * 0.5 / 4000**0.5).all()  # QR alone fixes signs; a component's std is ½
    assert (first.square().mean(0) - 0.25).abs().max() < 0.02


def test_one_norm_lies_in_each_stratum_and_not_at_its_middle():
    stats = pytest.importorskip("scipy.stats", reason="scipy's chi distribution is the reference")
    omega = draw(DIM, 40, "stratified", seed=3)
    levels = 40 * stats.chi.cdf(omega.norm(dim=1).numpy(), DIM)
    assert sorted(int(level) for level in levels) == list(range(40))
    assert (levels % 1).std() > 0.2  # uniform within: 0.289


@pytest.mark.parametrize("dim", [1, 8, 64, 300])
def test_chi_quantile_is_scipys(dim):
    stats = pytest.importorskip("scipy.stats", reason="scipy's chi distribution is the reference")
    u = torch.tensor([1e-6, 0.01, 0.5, 0.99, 1 - 1e-6], dtype=torch.float64)
    assert chi_quantile(u, dim).numpy() == pytest.approx(stats.chi.ppf(u.numpy(), dim), rel=1e-9)


def test_a_seed_gives_one_draw_and_another_another():
    draw.cache_clear()
    first = draw(DIM, 10, "orthogonal", 1)
    assert draw(DIM, 10, "orthogonal", 1) is first  # cached
    draw.cache_clear()
    assert torch.equal(draw(DIM, 10, "orthogonal", 1), first)
    assert not torch.allclose(draw(DIM, 10, "orthogonal", 2), first)


@pytest.mark.parametrize("field, settings", [
    ("kind", {"kind": "cosine"}), ("draw", {"draw": "halton"}), ("count", {"count": 0}),
    ("count", {"count": 100_000}), ("count", {"kind": "hyperbolic", "count": 33}),
])
def test_bad_features_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Features(**settings)
    assert error.value.field == field
