import numpy as np
import pytest
import torch

from model import Reader
from training import augment
from training.augment import apply_distortion, distort, draw_distortion
from training.data import to_float


@pytest.fixture
def images(mnist, torch_device):
    return to_float(torch.from_numpy(mnist[0].reshape(-1, 784)).to(torch_device))


def generator(images, seed):
    return torch.Generator(images.device).manual_seed(seed)


def test_it_is_reproducible_and_keeps_shape_and_range(images):
    first, second = (distort(images, generator=generator(images, 5)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(first, distort(images, generator=generator(images, 6)))


def test_a_part_of_a_batch_is_distorted_as_in_the_whole_batch(images):
    whole = draw_distortion(len(images), device=images.device, generator=generator(images, 5))
    part = slice(1, None, 3)
    distorted = apply_distortion(whole.select(part), images[part])
    expected = distort(images, generator=generator(images, 5))[part]
    torch.testing.assert_close(distorted, expected, rtol=0, atol=1e-6)


def test_each_picture_changes_in_its_own_way(images):
    copies = distort(images[:1].expand(50, -1), generator=generator(images, 5))
    assert len(copies.unique(dim=0)) == 50


def test_it_changes_pictures_but_not_digits(images, mnist):
    reader = Reader.load("mlp-1024")
    distorted = distort(images, generator=generator(images, 5))
    right = (reader.model(distorted.cpu()).argmax(1).numpy() == mnist[1]).mean()
    assert 0.93 < right < 1
    assert (distorted - images).abs().mean() > 0.03


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ROTATION", 0.5),
        ("MAX_SHEAR", 0.5),
        ("MAX_STRETCH", 0.5),
        ("MAX_SHIFT", 4.0),
        ("ELASTIC_SIGMA", 2.0),
        ("MAX_THICKENING", 1.0),
        ("MAX_THINNING", 1.0),
    ],
)
def test_each_distortion_works_alone_and_none_changes_nothing(images, monkeypatch, name, value):
    kinds = ("ROTATION", "SHEAR", "STRETCH", "SHIFT", "THICKENING", "THINNING")
    for other in [f"MAX_{kind}" for kind in kinds] + ["ELASTIC_SIGMA"]:
        monkeypatch.setattr(augment, other, 0.0)
    assert torch.allclose(distort(images), images, atol=1e-4)
    monkeypatch.setattr(augment, name, value)
    changed = distort(images, generator=generator(images, 0))
    assert (changed - images).abs().mean() > 0.005


def test_thickness_and_thinness_change_the_ink(images, monkeypatch):
    for name, sign in (("MAX_THICKENING", 1), ("MAX_THINNING", -1)):
        with monkeypatch.context() as patch:
            for other in ("MAX_THICKENING", "MAX_THINNING"):
                patch.setattr(augment, other, 0.0)
            patch.setattr(augment, name, 1.0)
            pictures = images.view(-1, 1, 28, 28)
            drawn = draw_distortion(
                len(images), device=images.device, generator=generator(images, 0)
            )
            ink = augment._change_stroke_width(pictures, drawn)
        assert np.sign((ink - pictures).sum().item()) == sign
