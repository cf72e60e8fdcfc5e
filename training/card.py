"""Write a checkpoint's model card, from measured figures alone: python -m training.card"""

import argparse
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from model import checkpoint
from training import evaluate, schema, sections

CARD_FILE = checkpoint.CARD_FILE
PLOTS = "plots"
_MARKUP = re.compile(r"[<>`|\x00-\x1f\x7f\x85\u2028\u2029]|\]\(")


def render(results: Mapping[str, Any], evaluation: Mapping[str, Any], *, where: str) -> str:
    """Return README.md for a checkpoint that can be loaded from `where`: a Hub id or a folder.

    `results` and `evaluation` are what results.json and evaluation.json hold. Every figure of the
    card is one of theirs; where they lack one, the card names the command that measures it.
    """
    body = "\n\n".join(sections.write(results, evaluation, where=where))
    return str(ModelCard(f"---\n{_metadata(results, evaluation).to_yaml()}\n---\n\n{body}\n"))


def write(folder: Path, *, where: str) -> None:
    """Write README.md and plots/ into a checkpoint's folder, each file whole or not at all.

    Raises:
        CheckpointError: there is no checkpoint in it, or its figures are not as they must be.
    """
    loaded = checkpoint.load(folder)
    card = text(loaded, where=where)
    _draw(folder, loaded)
    checkpoint.write_whole(
        folder / CARD_FILE, lambda path: path.write_text(card, encoding="utf-8", newline="\n")
    )


def text(loaded: checkpoint.Checkpoint, *, where: str) -> str:
    """Return README.md for a checkpoint as it was loaded, that can be loaded from `where`.

    Raises:
        CheckpointError: its figures are not as they must be.
    """
    if loaded.evaluation:
        check_evaluation(loaded)
    _check_files(loaded)
    return render(_described(loaded), loaded.evaluation, where=where)


def check_evaluation(loaded: checkpoint.Checkpoint) -> None:
    """Refuse figures that were measured on other weights.

    Raises:
        CheckpointError: they were.
    """
    if loaded.evaluation.get("weights_sha256") != evaluate.digest(loaded):
        raise checkpoint.CheckpointError(
            f"{loaded.folder}: {checkpoint.EVALUATION_FILE} was measured on other weights than "
            f"{checkpoint.WEIGHTS_FILE}: `python -m training.evaluate {loaded.folder}` measures "
            "these."
        )


def _check_files(loaded: checkpoint.Checkpoint) -> None:
    """Check that the figures are as they must be for a card.

    Raises:
        CheckpointError: they are not; names the file, the field, and what to do.
    """
    again = "measure again with python -m training.evaluate"
    for file, kind, figures, remedy in (
        (checkpoint.RESULTS_FILE, schema.Results, loaded.results, "the card does without it"),
        (checkpoint.EVALUATION_FILE, schema.Evaluation, loaded.evaluation, again),
    ):
        if not figures:
            continue
        try:
            schema.check(kind, figures)
            _refuse_markup(figures)
        except schema.FiguresError as error:
            raise checkpoint.CheckpointError(
                f"{loaded.folder}: {file} is not as this version writes it ({error}): delete it, "
                f"and {remedy}."
            ) from error


def _refuse_markup(value: object) -> None:
    """Refuse numbers that are not finite, and text that a page would take for markup.

    Raises:
        FiguresError: one is there.
    """
    if isinstance(value, Mapping):
        value = [each for pair in value.items() for each in pair]
    if isinstance(value, list):
        for each in value:
            _refuse_markup(each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise schema.FiguresError(f"{value} is no figure")
    elif isinstance(value, str) and (found := _MARKUP.search(value)):
        raise schema.FiguresError(f"text with {found[0]!r} in it")


def _draw(folder: Path, loaded: checkpoint.Checkpoint) -> None:
    from training import plots  # matplotlib takes a second, which a dry run need not wait for

    results = _described(loaded)
    figures = list(plots.draw(results, loaded.evaluation, loaded.model))  # all, or an error
    (folder / PLOTS).mkdir(exist_ok=True)
    stale = {path.name for path in (folder / PLOTS).glob("*.png")}
    for name, figure in figures:
        plots.save(figure, folder / PLOTS / f"{name}.png")
        stale.discard(f"{name}.png")
    for name in stale & {f"{plot}.png" for plot in plots.NAMES}:
        (folder / PLOTS / name).unlink()


def _described(loaded: checkpoint.Checkpoint) -> dict[str, Any]:
    """Return a checkpoint's results, with what config.json and the weights tell where they lack it.

    Its name and sizes are the config's, which were checked: they stand in the card's markup.
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
    """Yield what the Hub shows beside the card.

    People's drawings are too few for a calibration error to tell more than chance does.
    """
    mnist = {"dataset_name": "MNIST", "dataset_type": "ylecun/mnist", "dataset_split": "test"}
    pens = {"dataset_name": "Synthetic pens", "dataset_type": "synthetic-pens"}
    people = {"dataset_name": "Drawings on a tablet", "dataset_type": "tablet-drawings"}
    for figures, dataset in ((evaluation.get("test"), mnist), (evaluation.get("pens"), pens)):
        yield from _shown(figures, dataset) if figures else ()
    drawings = evaluation.get("drawings") or {"pens": {}}
    for pen, figures in drawings["pens"].items():
        config = {"dataset_name": f"{people['dataset_name']}, pen of {pen} px"}
        few = people | config | {"dataset_config": f"pen-{pen}"}
        yield from _shown(figures, few, calibration=False)


def _shown(
    figures: Mapping[str, Any], dataset: Mapping[str, Any], *, calibration: bool = True
) -> Iterator[EvalResult]:
    for kind, name, value in (
        ("accuracy", "Accuracy", figures["accuracy"]["value"]),
        ("expected_calibration_error", "Calibration error", figures["calibration_error"]),
        ("refused", "Digits that are refused", figures["refused"]),
    ):
        if calibration or kind != "expected_calibration_error":
            yield EvalResult(
                task_type="image-classification",
                metric_type=kind,
                metric_name=name,
                metric_value=value,
                **dataset,
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the cards of checkpoints; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    add = parser.add_argument
    add("checkpoints", nargs="*", metavar="CHECKPOINT", default=checkpoint.shipped_names(),
        help="shipped names or folders (the shipped ones)")  # fmt: skip
    add("--where", metavar="OWNER/NAME", help="whence to load it, as the card says (its folder)")
    options = parser.parse_args(arguments)
    if options.where and len(options.checkpoints) > 1:
        parser.error("--where is for one checkpoint: name it")
    try:
        for name in options.checkpoints:
            folder, place = _folder(name)
            write(folder, where=options.where or place)
            print(f"saved to {folder / CARD_FILE}", file=sys.stderr)
    except (checkpoint.CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _folder(name: str) -> tuple[Path, str]:
    """Return a checkpoint's folder, and how its card names it."""
    folder = checkpoint.folder_of(name)
    if name in checkpoint.shipped_names():
        return folder, folder.relative_to(checkpoint.SHIPPED.parent.parent).as_posix()
    if not folder.is_dir():
        raise checkpoint.CheckpointError(
            f"There is no folder {name}: expected a checkpoint's, or one of "
            f"{', '.join(checkpoint.shipped_names())}."
        )
    return folder, name


if __name__ == "__main__":
    sys.exit(main())
