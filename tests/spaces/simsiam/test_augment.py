import pytest
import torch

from spaces.simsiam import augment
from spaces.simsiam.data import load
from spaces.simsiam.settings import AUGMENTATIONS, Settings

IMAGES = load("digits").train[:64]


def draw(*names, strength=0.7, seed=0, images=IMAGES):
    settings = Settings(augmentations=names, strength=strength)
    return augment.views(images, settings, torch.Generator().manual_seed(seed))


def test_identity_and_no_strength_change_nothing():
    plain = IMAGES.repeat(2, 1, 1, 1) / 255
    assert torch.equal(draw("identity"), plain) and torch.equal(draw(*AUGMENTATIONS, strength=0), plain)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_kind_changes_images_and_stays_in_range(name):
    out = draw(name)
    first, second = out.chunk(2)
    assert out.min() >= 0 and out.max() <= 1
    assert (first - IMAGES / 255).abs().mean() > 0.01 and (first - second).abs().mean() > 0.01


def test_seed_decides():
    assert torch.equal(draw("crop", "noise"), draw("crop", "noise"))
    assert not torch.equal(draw("crop", "noise"), draw("crop", "noise", seed=1))


def test_flip_mirrors_about_half():
    first = draw("flip", images=IMAGES)[:64]
    mirrored = torch.isclose(first, (IMAGES / 255).flip(3), atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(first, IMAGES / 255, atol=1e-5).flatten(1).all(1)
    assert (mirrored | kept).all() and 15 < mirrored.sum() < 49


def test_crop_stays_inside_the_image():
    white = torch.full((32, 1, 8, 8), 255, dtype=torch.uint8)
    inner = draw("crop", strength=1.0, images=white)[:, :, 1:-1, 1:-1]
    assert torch.allclose(inner, torch.ones_like(inner), atol=1e-5)


def test_mean_view_has_less_variance_than_a_view():
    settings, generator = Settings(augmentations=("noise",), strength=0.5), torch.Generator().manual_seed(0)
    grey = torch.full((32, 1, 8, 8), 128, dtype=torch.uint8)
    mean, one = augment.mean_view(grey, settings, generator), augment.views(grey, settings, generator)
    assert mean.shape == (32, 1, 8, 8)
    assert float(one.var() / mean.var()) == pytest.approx(augment.MEAN_OF, rel=0.2)
