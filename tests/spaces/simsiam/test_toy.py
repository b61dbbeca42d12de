"""The toy against the article's and our own closed forms."""

import numpy as np
import pytest

from shared.experiment import InputError
from spaces.simsiam import toy
from spaces.simsiam.toy import Toy

TABLE = [
    (Toy(), 1.0, 0.80623),
    (Toy(mode="none"), 0.61270, 0.0),
    (Toy(mode="second_term"), 0.605, 0.0),
    (Toy(kappa=0.1), 1.0, 2.532),
    (Toy(kappa=10), 1.0, 0.272),
    (Toy(kappa=100), 1.0, 0.128),
    (Toy(phi0=1.2), np.sqrt(1.43), 0.0),
    (Toy(mode="none", theta0=0.6), 1.0, 0.44721),
    (Toy(weight_decay=0.15), 0.8162, 0.8162),
    (Toy(weight_decay=0.2), 0.0, 0.0),
]


@pytest.mark.parametrize("case, phi, theta", TABLE)
def test_integration_reaches_the_table(case, phi, theta):
    path = toy.trajectory(case)[1]
    assert path[:, -1] == pytest.approx([phi, theta], abs=1e-3)


@pytest.mark.parametrize("case, phi, theta", TABLE)
def test_closed_form_reaches_the_table(case, phi, theta):
    assert toy.end_state(case) == pytest.approx((phi, theta), abs=1e-3)


@pytest.mark.parametrize("mode", toy.MODES)
@pytest.mark.parametrize("kappa", [0.3, 4.0])
@pytest.mark.parametrize("phi0, theta0", [(0.6, 0.1), (1.4, 0.3), (-0.4, 0.6), (-0.8, -0.2), (0.2, 1.1)])
def test_closed_form_equals_integration(mode, kappa, phi0, theta0):
    case = Toy(mode, phi0, theta0, kappa)
    assert toy.trajectory(case)[1][:, -1] == pytest.approx(toy.end_state(case), abs=1e-3)


CONSERVED = {
    "stop_gradient": lambda phi, theta, kappa: phi**2 / kappa - theta**2,
    "none": lambda phi, theta, kappa: (1 - phi) ** 2 / kappa - theta**2,
    "second_term": lambda phi, theta, kappa: (1 - phi) / kappa - theta**2 / 2,
}


@pytest.mark.parametrize("mode", toy.MODES)
def test_conserved_along_the_whole_path(mode):
    phi, theta = toy.trajectory(Toy(mode, kappa=3.0))[1]
    values = CONSERVED[mode](phi, theta, 3.0)
    assert np.ptp(values) < 1e-6


@pytest.mark.parametrize("mode", toy.MODES)
@pytest.mark.parametrize("kappa", [0.1, 1, 100])
def test_basins_equal_closed_form(mode, kappa):
    phi, theta = np.linspace(-0.5, 1.6, 23), np.linspace(0.03, 1.2, 19)
    numeric = toy.basins(phi, theta, Toy(mode, kappa=kappa))
    exact = np.array([[abs(toy.end_state(Toy(mode, p, t, kappa))[1]) for p in phi] for t in theta])
    clear = (exact == 0) | (exact > 0.1)  # on the border between the two basins the flow needs forever
    agree = (numeric < toy.COLLAPSED) == (exact < toy.COLLAPSED)
    assert agree[clear].mean() > 0.99
    assert np.median(np.abs(numeric - exact)) < 1e-3


def test_velocity_is_minus_the_gradient():
    phi, theta, step = 0.3, 0.7, 1e-6

    def loss(phi, online, target):
        return 0.5 * (phi * online - target) ** 2

    online = (loss(phi, theta + step, theta) - loss(phi, theta - step, theta)) / (2 * step)
    target = (loss(phi, theta, theta + step) - loss(phi, theta, theta - step)) / (2 * step)
    for mode, expected in {
        "stop_gradient": -online,
        "none": -online - target,
        "second_term": -target,
    }.items():
        assert toy.velocity(np.array([phi, theta]), Toy(mode))[1] == pytest.approx(expected, abs=1e-8)


def test_slow_average_becomes_simsiam_and_a_frozen_target():
    assert toy.end_state(Toy(ema_rate=1e-3)) == pytest.approx((1, 0.80623), abs=1e-3)
    frozen = toy.trajectory(Toy(ema_rate=0.999), horizon=50)[1][:, -1]
    assert frozen.prod() == pytest.approx(0.1, abs=0.02)  # φθ follows a target that stays near θ0 = 0.1


def test_average_equals_its_discrete_form():
    toy_ = Toy(ema_rate=0.9, phi0=0.8, theta0=0.5)
    phi, theta, target, step = 0.8, 0.5, 0.5, 1e-3
    for _ in range(20_000):
        r = phi * theta - target
        phi, theta, target = (
            phi - step * r * theta,
            theta - step * r * phi,
            target + step * (theta - target) / 9,
        )
    assert toy.trajectory(toy_, horizon=20)[1][:, -1] == pytest.approx([phi, theta], abs=2e-3)


def test_weight_decay_fixed_point_vanishes_at_a_quarter():
    fixed = (1 + np.sqrt(1 - 4 * 0.24)) / 2
    assert toy.velocity(np.array([fixed, fixed]), Toy(weight_decay=0.24)) == pytest.approx([0, 0], abs=1e-12)
    assert toy.end_state(Toy(phi0=0.9, theta0=1.0, weight_decay=0.26))[1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("preset", toy.PRESETS)
def test_picture_is_finite_and_holds_the_path(preset):
    drawn = toy.picture(toy.PRESETS[preset][0])
    assert np.isfinite(drawn.flow_theta).all() and np.isfinite(drawn.end_theta).all()
    assert drawn.theta[-1] >= drawn.path[1].max() and drawn.end_theta.shape == (41, 49)


@pytest.mark.parametrize(
    "field, value",
    [
        ("kappa", 0),
        ("mode", "stop"),
        ("phi0", 9),
        ("ema_rate", 1.0),
        ("theta0", "x"),
        ("weight_decay", float("nan")),
    ],
)
def test_bad_settings_name_the_field(field, value):
    with pytest.raises(InputError) as error:
        Toy(**{field: value})
    assert error.value.field == field
