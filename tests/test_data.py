import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from training import subset
from training.data import SHA256, DataError, import_torchvision, load_test, load_train_val


def test_the_split_is_the_tutorials(mnist_dir):
    train, val = load_train_val(mnist_dir, seed=42)
    assert train.images.shape == (50_000, 784)
    assert val.images.shape == (10_000, 784)
    assert train.images.dtype == torch.uint8
    assert train.labels.dtype == torch.int64
    everything = import_torchvision().datasets.MNIST(mnist_dir)
    together = torch.cat([train.images, val.images]).double().mean()
    assert together == pytest.approx(everything.data.double().mean())
    again, other = load_train_val(mnist_dir, seed=42), load_train_val(mnist_dir, seed=43)
    assert torch.equal(again[1].images, val.images)
    assert not torch.equal(other[1].images, val.images)


def test_what_the_lesson_ships_is_mnists_and_made_by_its_command(mnist_dir, tmp_path):
    shipped = np.load(subset.OUT / "mnist.npz")
    n_train, n_val = len(shipped["train_images"]), len(shipped["val_images"])
    for name, split in zip(("train", "val"), load_train_val(mnist_dir, seed=42), strict=True):
        images, labels = shipped[f"{name}_images"], shipped[f"{name}_labels"]
        assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
        assert (images == split.images[: len(images)].numpy()).all()
        assert (labels == split.labels[: len(labels)].numpy()).all()
    subset.write(tmp_path, data_dir=mnist_dir, n_train=n_train, n_val=n_val)
    assert np.load(tmp_path / "mnist.npz")["train_images"].shape == (n_train, 784)
    shown, again = np.load(subset.OUT / "samples.npz"), np.load(tmp_path / "samples.npz")
    for name in ("distorted", "pens"):  # of a level, another processor may round otherwise
        assert np.abs(shown[name].astype(int) - again[name]).max() <= 1
    with pytest.raises(DataError, match="--n-val: expected 1 to 10,000, found 0"):
        subset.write(tmp_path, data_dir=mnist_dir, n_train=1, n_val=0)


def test_the_test_set_begins_with_the_fixture(mnist_dir, mnist):
    test = load_test(mnist_dir)
    assert test.images.shape == (10_000, 784)
    assert (test.images[:500].numpy() == mnist[0].reshape(500, 784)).all()
    assert (test.labels[:500].numpy() == mnist[1]).all()


def test_a_changed_file_is_refused(mnist_dir, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    shutil.copytree(Path(mnist_dir) / "MNIST" / "raw", raw)
    images = raw / "t10k-images-idx3-ubyte"
    images.chmod(0o644)
    data = images.read_bytes()
    changed = data[:5_000] + bytes([data[5_000] ^ 1]) + data[5_001:]
    for damaged in (changed, data[:-1], b"<html>", b""):
        images.write_bytes(damaged)
        message = r"t10k-images-idx3-ubyte is not MNIST's: SHA-256 .*Delete"
        with pytest.raises(DataError, match=message):
            load_test(tmp_path)


def test_without_files_and_network_it_says_what_to_do(tmp_path, monkeypatch):
    mnist = import_torchvision().datasets.MNIST
    monkeypatch.setattr(mnist, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match="Put these four files there") as caught:
        load_test(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "MNIST" / "raw") in str(caught.value)
    assert all(name in str(caught.value) for name in SHA256)
