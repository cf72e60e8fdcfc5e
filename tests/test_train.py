import copy
import dataclasses
import json
import math
import signal

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.checkpoint import load
from model.mlp import MLP
from tests.conftest import NOTHING_DRAWN, run, start_training
from training import __main__ as commands
from training.__main__ import main
from training.calibration import compute_logits
from training.data import DataError, Split, SyntheticData
from training.loop import (
    TrainedLogits,
    _lr_factor,
    train,
    training_step,
    update_ema,
    validate,
)
from training.recipe import PRESETS, Recipe
from training.synthetic.outliers import NOT_A_DIGIT

SMALL = Recipe(hidden_sizes=(16,), epochs=3, batch_size=50, optimizer="adamw", lr=3e-3)


@pytest.fixture
def splits(mnist, torch_device):
    images = torch.from_numpy(mnist[0].reshape(-1, 784)).to(torch_device)
    labels = torch.from_numpy(mnist[1]).to(torch_device)
    return Split(images[:400], labels[:400]), Split(images[400:], labels[400:])


@pytest.mark.parametrize("changes", [{}, {"distort": 0.5}, {"optimizer": "sgd", "lr": 0.1}])
def test_the_same_seed_gives_the_same_weights(splits, changes):
    recipe = dataclasses.replace(SMALL, **changes)
    first, second = (train(recipe, *splits, progress=False).model for _ in range(2))
    other = train(dataclasses.replace(recipe, seed=7), *splits, progress=False).model
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, c in zip(first.layers.parameters(), other.layers.parameters(), strict=True):
        assert not torch.equal(a, c)


def test_one_batch_can_be_overfitted(splits):
    batch = Split(splits[0].images[:64], splits[0].labels[:64])
    recipe = Recipe(hidden_sizes=(32,), epochs=150, batch_size=64, optimizer="adamw", lr=1e-2)
    trained = train(recipe, batch, batch, progress=False)
    assert trained.best_val_accuracy == 1
    assert trained.history[-1]["loss"] < 0.01 < trained.history[0]["loss"]


def test_the_best_epoch_is_kept_or_the_last_of_a_fixed_schedule(splits):
    recipe = Recipe(hidden_sizes=(16,), epochs=8, batch_size=20, optimizer="sgd", lr=2.5)
    trained = train(recipe, *splits, progress=False)
    accuracies = [epoch["val_accuracy"] for epoch in trained.history]
    assert trained.best_val_accuracy == max(accuracies)
    assert trained.best_epoch == accuracies.index(max(accuracies)) + 1
    assert validate(trained.model, splits[1])[1] == max(accuracies)
    assert accuracies[-1] < max(accuracies)  # otherwise the test is void: raise the learning rate

    fixed = dataclasses.replace(recipe, split="all")  # the rest of the recipe has no other effect
    assert train(fixed, *splits, progress=False).best_epoch == 8


@pytest.fixture
def synthetic(torch_device):
    """Digits that are a block of ink for each class, and outliers with a block for none."""
    generator = torch.Generator().manual_seed(1)

    def noise(n):
        return torch.randint(0, 40, (n, 784), dtype=torch.uint8, generator=generator)

    labels = torch.arange(200) % 10
    digits = noise(200)
    for i, label in enumerate(labels):
        digits[i, 60 * label : 60 * label + 40] = 255
    outliers = noise(200)
    outliers[:, 650:] = 255
    digits = Split(digits, labels).to(torch_device)
    outliers = Split(outliers, torch.full((200,), NOT_A_DIGIT)).to(torch_device)
    return SyntheticData(digits, digits, outliers, digits, digits, outliers)


def test_synthetic_digits_are_learned_and_outliers_rejected(splits, synthetic):
    recipe = dataclasses.replace(
        SMALL, epochs=15, synthetic_digits=0.2, written_digits=0.2, outliers=0.4, ema_decay=0.9
    )
    trained = train(recipe, *splits, synthetic=synthetic, progress=False)
    assert trained.history[-1]["synthetic_digits_accuracy"] > 0.95
    assert trained.history[-1]["written_digits_accuracy"] > 0.95
    assert (compute_logits(trained.model, synthetic.val_outliers)[1] > 0).float().mean() > 0.95
    assert (compute_logits(trained.model, splits[1])[1] < 0).float().mean() > 0.9
    without = train(SMALL, *splits, progress=False)
    assert "synthetic_digits_accuracy" not in without.history[-1]
    assert (
        compute_logits(without.model, synthetic.val_outliers)[1] < 0
    ).all()  # untrained, and disabled


@pytest.mark.parametrize(
    ("option", "pool"),
    [
        ("synthetic_digits", "digits"),
        ("written_digits", "written_digits"),
        ("outliers", "outliers"),
    ],
)
def test_a_pool_that_is_not_used_may_be_empty(splits, synthetic, option, pool):
    empty = Split(*(part[:0] for part in getattr(synthetic, pool)))
    shares = {"synthetic_digits": 0.4, "written_digits": 0.4, "outliers": 0.4} | {option: 0.0}
    recipe = dataclasses.replace(SMALL, **shares)
    first, second = (
        train(recipe, *splits, synthetic=each, progress=False).model
        for each in (synthetic, synthetic._replace(**{pool: empty}))
    )
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_averaged_weights_are_kept(splits):
    recipe = dataclasses.replace(SMALL, epochs=5)
    kept = train(dataclasses.replace(recipe, ema_decay=0.9), *splits, progress=False).model
    last = train(recipe, *splits, progress=False).model
    torch.manual_seed(recipe.seed)
    start = MLP(recipe.hidden_sizes).to(splits[0].images.device)
    for a, b, c in zip(start.layers, kept.layers, last.layers, strict=True):
        assert 0 < (b.weight - a.weight).norm() < (c.weight - a.weight).norm()


def test_the_moving_average_equals_torch_s(torch_device):
    torch.manual_seed(0)
    model = MLP((8,)).to(torch_device)
    ema, reference = (
        copy.deepcopy(model),
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
    )
    for step in range(4):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        update_ema(ema, model, decay=0.9 if step else 0.0)
        reference.update_parameters(model)
        for a, b in zip(ema.parameters(), reference.module.parameters(), strict=True):
            assert torch.equal(a, b)


def test_the_target_is_the_mean_of_the_label_and_the_probabilities_of_the_teacher(torch_device):
    torch.manual_seed(0)
    student, teacher = (TrainedLogits(MLP((8,)).to(torch_device), outliers=True) for _ in range(2))
    images = torch.rand(20, 784, device=torch_device)
    labels = torch.arange(20, device=torch_device) % 11  # 10 is "not a digit"

    def log_probs(logits):
        trace = logits.model.trace(images)
        logits = torch.cat([trace.logits, trace.not_a_digit[:, None]], 1)
        return (logits.detach().double() / 1.5).log_softmax(1)

    targets = torch.eye(11, device=torch_device)[labels] / 2 + log_probs(teacher).exp() / 2
    expected = -(targets * log_probs(student)).sum(1).mean() * 1.5**2
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    loss = training_step(student, optimizer, images, labels, teacher=teacher)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_student_follows_the_mean_of_its_teachers(splits, synthetic):
    recipe = dataclasses.replace(SMALL, epochs=15, synthetic_digits=0.2, outliers=0.2)
    teachers = [
        train(dataclasses.replace(recipe, seed=seed), *splits, synthetic=synthetic, progress=False)
        for seed in (1, 2)
    ]
    teachers = [each.model for each in teachers]
    student = train(recipe, *splits, synthetic=synthetic, teachers=teachers, progress=False).model
    answers = student(splits[1].images / 255).argmax(1)
    mean = sum(teacher(splits[1].images / 255).softmax(1) for teacher in teachers)
    assert (answers == mean.argmax(1)).float().mean() > 0.85
    assert (compute_logits(student, synthetic.val_outliers)[1] > 0).float().mean() > 0.95


def test_teachers_take_turns_and_do_not_learn(splits, synthetic):
    recipe = dataclasses.replace(SMALL, epochs=2, outliers=0.2)
    teachers = [MLP((8,)).to(splits[0].images.device) for _ in range(2)]
    weights = copy.deepcopy([teacher.state_dict() for teacher in teachers])
    turns = []
    for i, teacher in enumerate(teachers):
        teacher.layers[0].register_forward_hook(lambda *_, i=i: turns.append(i))
    train(recipe, *splits, synthetic=synthetic, teachers=teachers, progress=False)
    assert turns == [step % 2 for step in range(len(turns))]
    assert len(turns) == 2 * math.ceil(len(splits[0].images) / recipe.batch_size)
    for teacher, before in zip(teachers, weights, strict=True):
        assert all(torch.equal(before[name], now) for name, now in teacher.state_dict().items())


@pytest.mark.parametrize("split", ["random", "all"])
def test_a_training_that_diverges_keeps_finite_weights(splits, split):
    recipe = dataclasses.replace(SMALL, optimizer="sgd", lr=1e30, split=split)
    trained = train(recipe, *splits, progress=False)
    assert (trained.best_epoch, trained.best_val_accuracy) == (0, 0)
    assert all(parameter.isfinite().all() for parameter in trained.model.parameters())


def test_validation_loss_and_accuracy_match_their_definition(splits):
    model = train(SMALL, *splits, progress=False).model
    logits = model(splits[1].images.float() / 255)
    loss = -logits.log_softmax(1)[torch.arange(100), splits[1].labels].mean().item()
    accuracy = (logits.argmax(1) == splits[1].labels).float().mean().item()
    for batch_size in (7, 256):
        measured = validate(model, splits[1], batch_size=batch_size)
        assert measured == (pytest.approx(loss, rel=1e-5), pytest.approx(accuracy))


def test_the_learning_rate_warms_up_and_decays():
    recipe = Recipe(warmup=0.1, cosine_decay=True)
    assert [_lr_factor(recipe, x) for x in (0, 0.05, 0.1)] == [0, 0.5, 1]
    assert _lr_factor(recipe, 0.55) == pytest.approx(0.5)
    assert _lr_factor(recipe, 1) == pytest.approx(0)
    assert {_lr_factor(Recipe(), x) for x in (0, 0.5, 1)} == {1}


def test_the_presets_are_the_three_shipped_networks_and_a_teacher():
    sizes = {name: recipe.hidden_sizes for name, recipe in PRESETS.items()}
    teacher = sizes.pop("member")
    assert sizes == {"logistic": (), "mlp-32": (32,), "mlp-1024": (1024,)}
    assert teacher == (1024, 1024)
    assert (Recipe().batch_size, Recipe().val_batch_size) == (128, 256)


def test_a_dry_run_prints_the_recipe_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "never"
    options = ["--hidden-sizes", "64", "32", "--lr", "0.1", "--epochs", "2", "--out", str(out)]
    assert main([*options, "--dry-run"]) == 0
    recipe = json.loads(capsys.readouterr().out)["recipe"]
    assert (recipe["hidden_sizes"], recipe["lr"], recipe["epochs"]) == ([64, 32], 0.1, 2)
    assert recipe["split"] == "random"  # the tutorial's
    assert not out.exists()
    assert main(["--hidden-sizes", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["out"].endswith("logistic")


def test_the_old_flag_of_the_synthetic_digits_still_works(capsys):
    assert main(["--pens", "0.3", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"]["synthetic_digits"] == 0.3
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--pens" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "mlp-33"], "invalid choice: 'mlp-33'"),
        (["--epochs", "0"], "--epochs must be above 0"),
        (["--lr", "nan"], "--lr must be above 0"),
        (["--batch-size", "0"], "--batch-size must be above 0"),
        (["--hidden-sizes", "32", "-4"], "--hidden-sizes takes at most 16 numbers in 1..65536"),
        (["--hidden-sizes", *["8"] * 17], "--hidden-sizes takes at most 16 numbers in 1..65536"),
        (["--synthetic-digits", "1.5"], "--synthetic-digits must be in 0..1"),
        (["--written-digits", "-1"], "--written-digits must be in 0..1"),
        (["--written-digits", "0"], "--split all needs --written-digits to validate on"),
        (["--split", "half"], "invalid choice: 'half'"),
        (["--outliers", "nan"], "--outliers must be in 0..1"),
        (["--samples", "0"], "--samples must be above 0"),
        (["--data-dir", "/proc/nowhere"], "MNIST is not in /proc/nowhere/MNIST/raw"),
    ],
)
def test_an_invalid_option_is_one_line_of_error(options, message, capsys):
    try:
        status = main(options)
    except SystemExit as error:  # argparse
        status = error.code
    assert status in (1, 2)
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("split", ["random", "writers", "all"])
def test_the_data_is_split_as_the_recipe_says(split, monkeypatch, capsys):
    def load_train_val(data_dir, **options):
        raise DataError(f"split: {options['split']}")

    monkeypatch.setattr(commands, "load_train_val", load_train_val)
    assert main(["--preset", "mlp-32", "--split", split]) == 1
    assert capsys.readouterr().err == f"error: split: {split}\n"


def test_a_missing_member_is_not_looked_for_on_the_hub(monkeypatch, tmp_path, capsys):
    split = Split(torch.zeros(1, 784, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    monkeypatch.setattr(commands, "load_train_val", lambda *_, **__: (split, split))
    monkeypatch.chdir(tmp_path)
    assert main(["--preset", "mlp-1024"]) == 1
    assert "checkpoints/member-1 is missing: run python -m training.ensemble" in (
        capsys.readouterr().err
    )


def test_the_name_on_the_hub_is_checked_before_training():
    done = run("-m", "training", "--push", "a/b/c", "--data-dir", "/proc/nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Not a name on the Hub")
    assert "Traceback" not in done.stderr


def test_a_training_on_mnist_saves_what_it_prints(mnist_dir, tmp_path):
    drawn = ["--synthetic-digits", "0.03", "--written-digits", "0.03", "--outliers", "0.03"]
    arguments = ["--preset", "mlp-32", "--epochs", "2", *drawn, "--data-dir", mnist_dir]
    arguments += ["--samples", "20"]
    done = run("-m", "training", *arguments, "--out", str(tmp_path / "net"))
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    loaded = load(tmp_path / "net")
    test = loaded.evaluation["test"]
    measured = {
        "test_accuracy": test["accuracy"]["value"],
        "test_calibration_error": test["calibration_error"],
        "test_refused": test["refused"],
    }
    assert printed == {k: v for k, v in loaded.results.items() if k != "history"} | measured
    assert 0.92 < test["accuracy"]["value"] < 0.98
    assert 0.85 < printed["val_accuracy"] < 0.98  # of digits by unseen writers
    assert printed["recipe"]["teachers"] == ["mlp-1024"]
    assert printed["threshold"] == loaded.config.threshold < 1
    assert printed["temperature"] == loaded.config.temperature
    assert test["refused"] < 0.02
    assert loaded.evaluation["refusal"]["kinds"]["letters"]["n"] == 20
    assert printed["outliers_refused"] > 0.1
    assert [epoch["epoch"] for epoch in loaded.results["history"]] == [1, 2]
    accuracy = f"{100 * test['accuracy']['value']:.2f}"
    assert f"{accuracy} %" in (tmp_path / "net" / "README.md").read_text(encoding="utf-8")
    assert len(list((tmp_path / "net" / "plots").glob("*.png"))) == 6


@pytest.mark.parametrize(("kill", "kept"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_ctrl_c_keeps_the_best_epoch_and_a_kill_leaves_no_partial_checkpoint(
    mnist_dir, tmp_path, kill, kept
):
    out = tmp_path / "net"
    process, seen = start_training(
        "-m", "training", "--epochs", "500", "--data-dir", mnist_dir, *NOTHING_DRAWN,
        "--split", "random", "--samples", "20", "--out", str(out), shown=1,
    )  # fmt: skip
    process.send_signal(kill)
    output = seen + process.communicate(timeout=60)[1]
    if kept:
        assert process.returncode == 0
        assert "interrupted: keeping epoch" in output
        assert load(out).results["interrupted"]
    else:
        assert not out.exists()
