"""Render a checkpoint's model card and write it with its plots."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from model import checkpoint
from model import figures as schema
from model.explain import SHOWN_UNITS
from model.mlp import N_CLASSES, N_PIXELS
from training.card import formatting
from training.recipe import (
    MAX_REJECTED,
    MAX_REJECTED_SYNTHETIC,
    MAX_REJECTED_UNSEEN,
    MEMBERS,
    TEACHER_TEMPERATURE,
)
from training.synthetic.unseen_outliers import SEEN_KINDS

CARD_FILE = checkpoint.CARD_FILE
PLOTS = "plots"
TEMPLATE = Path(__file__).with_name("card.md.jinja")
_FUNCTIONS: dict[str, Any] = {  # that the template calls
    each.__name__: each
    for each in (
        formatting.alteration,
        formatting.area,
        formatting.by_writer,
        formatting.confused,
        formatting.interval,
        formatting.least_rejected,
        formatting.most_changed,
        formatting.number,
        formatting.part,
        formatting.percent,
        formatting.plain,
        formatting.points,
        formatting.quoted,
        formatting.sure,
        formatting.with_article,
        formatting.wrong,
    )
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_MARKUP = re.compile(r"[<>`|\x00-\x1f\x7f\x85\u2028\u2029]|\]\(")


def render_card(results: Mapping[str, Any], evaluation: Mapping[str, Any], *, where: str) -> str:
    """Return README.md for a checkpoint that can be loaded from `where`, a Hub id or a folder.

    `results` and `evaluation` are the contents of results.json and evaluation.json. For missing
    figures, the card names the command that measures them.
    """
    card = ModelCard.from_template(
        _metadata(results, evaluation),
        template_path=str(TEMPLATE),
        results=results,
        evaluation=evaluation,
        where=where,
        shell_where=shlex.quote(where),
        on_hub=bool(_HUB_ID.fullmatch(where)) and not Path(where).is_dir(),  # as in Reader.load
        version=_version(results, evaluation),
        network=_network(results),
        sizes=" → ".join(
            f"{n:,}" for n in (N_PIXELS, *results["recipe"]["hidden_sizes"], N_CLASSES)
        ),
        rejects=results.get("threshold", 1) < 1,
        threads=_threads(results),
        max_rejected=MAX_REJECTED,
        members=list(MEMBERS),
        teacher_temperature=TEACHER_TEMPERATURE,
        max_rejected_unseen=MAX_REJECTED_UNSEEN,
        max_rejected_synthetic=MAX_REJECTED_SYNTHETIC,
        seen_kinds=SEEN_KINDS,
        shown_units=SHOWN_UNITS,
        **_FUNCTIONS,
    )
    return re.sub(r"\n{3,}", "\n\n", str(card)).strip() + "\n"


def _version(results: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    parts = []
    if digest := evaluation.get("weights_sha256"):
        parts.append(f"weights of SHA-256 `{digest[:16]}…`")
    if commit := results.get("commit"):
        parts.append(f"trained by the code of commit `{commit}`")
    if "seed" in results:
        parts.append(f"seed {results['seed']}")
    return ", ".join(parts)


def _network(results: Mapping[str, Any]) -> str:
    if results["recipe"]["hidden_sizes"]:
        return "a feed-forward ReLU network"
    return "logistic regression, a linear network without a hidden layer"


def _threads(results: Mapping[str, Any]) -> int | None:
    """Return the number of CPU threads that the training used, if it ran on a CPU."""
    match = re.fullmatch(r"cpu, (\d{1,9}) threads?", str(results.get("device")))
    return int(match[1]) if match else None


def write_card(folder: Path, *, where: str) -> None:
    """Write README.md and plots/ into a checkpoint's folder, each file atomically.

    Raises:
        CheckpointError: The folder has no checkpoint, or its figures are invalid.
    """
    loaded = checkpoint.load(folder)
    card = card_text(loaded, where=where)
    _draw(folder, loaded)
    checkpoint.write_whole(
        folder / CARD_FILE, lambda path: path.write_text(card, encoding="utf-8", newline="\n")
    )


def card_text(loaded: checkpoint.Checkpoint, *, where: str) -> str:
    """Return README.md for a loaded checkpoint that can be loaded from `where`.

    Raises:
        CheckpointError: The checkpoint's figures are invalid.
    """
    if loaded.evaluation:
        check_evaluation(loaded)
    _check_files(loaded)
    return render_card(_described(loaded), loaded.evaluation, where=where)


def check_evaluation(loaded: checkpoint.Checkpoint) -> None:
    """Check that the figures were measured on these weights.

    Raises:
        CheckpointError: They were measured on other weights.
    """
    if loaded.evaluation.get("weights_sha256") != loaded.weights_sha256:
        raise checkpoint.CheckpointError(
            f"{loaded.folder}: {checkpoint.EVALUATION_FILE} was measured on other weights than "
            f"{checkpoint.WEIGHTS_FILE}: `python -m training.evaluate {loaded.folder}` measures "
            "these."
        )


def _check_files(loaded: checkpoint.Checkpoint) -> None:
    """Check that the figures are complete and valid for a card.

    Raises:
        CheckpointError: They are not; names the file, the field and the remedy.
    """
    again = "measure again with python -m training.evaluate"
    for file, kind, content, remedy in (
        (checkpoint.RESULTS_FILE, schema.Results, loaded.results, "the card does without it"),
        (checkpoint.EVALUATION_FILE, schema.Evaluation, loaded.evaluation, again),
    ):
        if not content:
            continue
        try:
            schema.check(kind, content)
            _reject_markup(content)
        except schema.FiguresError as error:
            raise checkpoint.CheckpointError(
                f"{loaded.folder}: {file} is not as this version writes it ({error}): delete it, "
                f"and {remedy}."
            ) from error


def _reject_markup(value: object) -> None:
    """Reject numbers that are not finite and text that contains markup.

    Raises:
        FiguresError: There is such a value.
    """
    if isinstance(value, Mapping):
        value = [each for pair in value.items() for each in pair]
    if isinstance(value, list):
        for each in value:
            _reject_markup(each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise schema.FiguresError(f"{value} is not a finite number")
    elif isinstance(value, str) and (found := _MARKUP.search(value)):
        raise schema.FiguresError(f"text with {found[0]!r} in it")


def _draw(folder: Path, loaded: checkpoint.Checkpoint) -> None:
    # Imported here because importing matplotlib takes a second and a dry run needs no plots.
    from training.card import plots

    results = _described(loaded)
    # Draw every plot before writing any, so that an error leaves the old files unchanged.
    drawn = list(plots.draw_plots(results, loaded.evaluation, loaded.model))
    (folder / PLOTS).mkdir(exist_ok=True)
    stale = {path.name for path in (folder / PLOTS).glob("*.png")}
    for name, figure in drawn:
        plots.save(figure, folder / PLOTS / f"{name}.png")
        stale.discard(f"{name}.png")
    for name in stale & {f"{plot}.png" for plot in plots.NAMES}:
        (folder / PLOTS / name).unlink()


def _described(loaded: checkpoint.Checkpoint) -> dict[str, Any]:
    """Return a checkpoint's results, completed from config.json and the weights.

    Name and sizes come from the config, which was validated: the card uses them as markup.
    """
    config, recipe = loaded.config, loaded.results.get("recipe", {})
    return {
        **loaded.results,
        "name": config.name,
        "parameters": loaded.model.n_parameters,
        "temperature": config.temperature,
        "threshold": config.threshold,
        "recipe": {**recipe, "hidden_sizes": list(config.hidden_sizes)},
    }


def _metadata(results: Mapping[str, Any], evaluation: Mapping[str, Any]) -> ModelCardData:
    found = list(_eval_results(evaluation))
    hidden = results["recipe"]["hidden_sizes"]
    kind = ["feed-forward", "mlp", "relu"] if hidden else ["logistic-regression"]
    return ModelCardData(
        license="apache-2.0",
        library_name="pytorch",  # the Hub's filter for networks of no other library
        pipeline_tag="image-classification",
        tags=["mnist", "handwritten-digits", *kind, "safetensors"],
        datasets=["ylecun/mnist"],
        metrics=list(dict.fromkeys(each.metric_type for each in found)) or None,
        model_name=results["name"],
        eval_results=found or None,
    )


def _eval_results(evaluation: Mapping[str, Any]) -> Iterator[EvalResult]:
    """Yield the results that the Hub shows next to the card.

    There are too few drawings by people for a meaningful calibration error.
    """
    mnist = {"dataset_name": "MNIST", "dataset_type": "ylecun/mnist", "dataset_split": "test"}
    synthetic = {"dataset_name": "Synthetic digits", "dataset_type": "synthetic-digits"}
    people = {"dataset_name": "Drawings on a tablet", "dataset_type": "tablet-drawings"}
    for measured, dataset in ((evaluation.get("test"), mnist), (evaluation.get("pens"), synthetic)):
        yield from _shown(measured, dataset) if measured else ()
    drawings = evaluation.get("drawings") or {"pens": {}}
    for width, measured in drawings["pens"].items():
        config = {"dataset_name": f"{people['dataset_name']}, stroke width {width} px"}
        few = people | config | {"dataset_config": f"stroke-width-{width}"}
        yield from _shown(measured, few, calibration=False)


def _shown(
    measured: Mapping[str, Any], dataset: Mapping[str, Any], *, calibration: bool = True
) -> Iterator[EvalResult]:
    for kind, name, value in (
        ("accuracy", "Accuracy", measured["accuracy"]["value"]),
        ("expected_calibration_error", "Calibration error", measured["calibration_error"]),
        ("refused", "Digits that are rejected", measured["refused"]),
    ):
        if calibration or kind != "expected_calibration_error":
            yield EvalResult(
                task_type="image-classification",
                metric_type=kind,
                metric_name=name,
                metric_value=value,
                **dataset,
            )
