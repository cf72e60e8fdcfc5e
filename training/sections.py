"""The sections of a model card: what Mitchell et al. ask for, in the order of the Hub's template.

Each figure is one of results.json (`results`) or evaluation.json (`evaluation`); where one is
missing, the section says which command measures it.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from training import findings
from training.calibrate import MAX_REFUSED, MAX_REFUSED_PENS
from training.wording import (
    Figures,
    a,
    by_writer,
    image,
    interval,
    network,
    not_measured,
    percent,
    points,
    refuses,
    sizes,
    sure,
    table,
)

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_RECIPE = {
    "optimizer": "optimiser",
    "lr": "learning rate, its peak",
    "weight_decay": "weight decay",
    "batch_size": "batch, images of MNIST",
    "epochs": "epochs",
    "warmup": "share of the steps over which the rate rises from 0",
    "decay": "then the rate falls to 0 along a cosine",
    "average": "decay, a step, of the weights' moving average that is kept",
    "distort": "share of MNIST's images that are distorted, anew each epoch",
    "pens": "synthetic digits to one image of MNIST",
    "outliers": "pictures of no digit to one image of MNIST",
    "seed": "seed",
}


def write(results: Figures, evaluation: Figures, *, where: str) -> Iterator[str]:
    """Yield the blocks of the card's text, for a checkpoint to be loaded from `where`."""
    yield from _summary(results, evaluation)
    yield from _details(results, evaluation, where)
    yield from _uses(results)
    yield from _limits(results, evaluation)
    yield from _start(results, where)
    yield from _training(results)
    yield from findings.evaluated(results, evaluation)
    yield from findings.examined(results, evaluation)
    yield from _energy(results)
    yield from _specifications(results, evaluation)
    yield from _end(results, evaluation)


def _summary(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield f"# {results['name']}"
    verdict = (
        ", or says that the ink is no digit, as far as [Evaluation](#evaluation) tells"
        if refuses(results)
        else ""
    )
    yield (
        f"Reads one handwritten digit, 0 to 9, from 28 × 28 pixels{verdict}. It is "
        f"{network(results)}: {sizes(results)}, {results['parameters']:,} parameters, trained on "
        "MNIST. Every number between the ink and the answer can be shown, and the app shows it."
    )
    rows = list(_headlines(evaluation))
    if not rows:
        yield not_measured("Its figures")
        return
    yield table(("measured on", "read right", "answered right", "refused"), rows)
    yield (
        "Read right: the likeliest digit is the label, refused or not. Answered right: the answer "
        "is a digit, and the label. In brackets: the range in which the true share lies, at 95 % "
        "confidence (Wilson)"
        + ("; of people's drawings, by writer." if evaluation.get("drawings") else ".")
        + f" On the test set, confidence is {points(evaluation['test']['calibration_error'])} off "
        "accuracy (expected calibration error). All figures are of one training, with one seed."
    )


def _headlines(evaluation: Figures) -> Iterator[tuple[str, ...]]:
    if not evaluation:
        return
    test, pens = evaluation["test"], evaluation["pens"]
    yield f"MNIST's test set, {test['n']:,} images", *_shares(test)
    yield f"synthetic digits with pens of many widths, {pens['n']:,}", *_shares(pens)
    for pen, drawn in (evaluation.get("drawings") or {"pens": {}})["pens"].items():
        yield (
            f"people's drawings, {drawn['n']:,}, pen of {pen} px",
            f"{percent(drawn['accuracy']['value'])} ({by_writer(drawn)})",
            percent(drawn["answered_right"]["value"]),
            percent(drawn["refused"]),
        )


def _shares(figures: Figures) -> tuple[str, str, str]:
    return (
        interval(figures["accuracy"]),
        interval(figures["answered_right"]),
        percent(figures["refused"]),
    )


def _details(results: Figures, evaluation: Figures, where: str) -> Iterator[str]:
    yield "## Model details"
    teacher = results["recipe"].get("teacher")
    outputs = "ten logits, of which the softmax over a temperature gives calibrated probabilities"
    if refuses(results):
        outputs += "; and an eleventh, which says that this is no digit"
    lines = {
        "Model type": f"{network(results)}, {sizes(results)}",
        "Input": "28 × 28 grey pixels in 0 to 1, ink 1 on paper 0, framed as MNIST's makers did",
        "Output": outputs,
        "Made from": f"scratch, taught by `{teacher}`" if teacher else "scratch",
        "Made with": "Draw a digit, which trains, publishes and serves such networks",
        "Licence": "Apache-2.0, for the weights and the code",
        "Version": _version(results, evaluation),
        "Try it": f"`python app.py --model {shlex.quote(where)}` serves a page to draw on",
        "Questions": "the Community tab of this page on the Hub",
    }
    yield "\n".join(f"- **{key}:** {value}" for key, value in lines.items())


def _version(results: Figures, evaluation: Figures) -> str:
    parts = []
    if digest := evaluation.get("weights_sha256"):
        parts.append(f"weights of SHA-256 `{digest[:16]}…`")
    if commit := results.get("commit"):
        parts.append(f"trained by the code of commit `{commit}`")
    if "seed" in results:
        parts.append(f"seed {results['seed']}")
    return ", ".join(parts) or "not recorded"


def _uses(results: Figures) -> Iterator[str]:
    yield "## Uses"
    yield "### Direct use"
    yield (
        "Reading one digit that a person draws with a mouse, a finger or a pen, or photographs, "
        "where that person sees the answer and can mend it. Teaching: each weight can be looked "
        "at, and each answer computed by hand."
    )
    yield "### Downstream use"
    yield (
        "A part of a program that cuts its input into single digits and lets someone check the "
        "answers: a game, an exercise, a form. Another network of the family is one command away: "
        "see [Training details](#training-details)."
    )
    yield "### Out-of-scope use and misuse"
    unasked = (
        "Ink that may be something else: some of it is read as a digit all the same; "
        "[Evaluation](#evaluation) says how much."
        if refuses(results)
        else "Ink that may be no digit: it is read as a digit all the same."
    )
    yield "\n".join(
        f"- {line}"
        for line in (
            "Several digits at once, numbers, letters, words. It reads one digit.",
            unasked,
            "Decisions that nobody checks: cheques, marks, meters, doses, addresses.",
            "Telling who wrote something, or anything about them. It was not made for that, and "
            "nothing here measures it.",
            "Getting past tests that are to tell people from programs.",
            "Where accuracy alone counts: a convolutional network, which knows which pixels are "
            "neighbours, makes fewer mistakes.",
        )
    )


def _limits(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "## Factors"
    yield (
        "What changes the answer: the hand and the style (a 1 may have an upstroke, a 7 a bar, a 9 "
        "a hook), the width of the pen, how far the digit is turned, and "
        "what the picture is: its place, size, polarity, compression and light. The evaluation "
        "below varies the pen, the place, the size, the turn and the file; the light of photos it "
        "does not. Neither MNIST nor the drawings tell a writer's age, hand, country or "
        "health, so no figure here is by group of people."
    )
    yield "## Bias, risks and limitations"
    lines = [
        "MNIST's writers were employees of the United States' Census Bureau and American high "
        "school students. Other hands may be read less well"
        + (
            "; synthetic digits in other countries' styles are meant to make up for a part of that."
            if results["recipe"].get("pens")
            else "."
        ),
        *_measured_limits(evaluation),
        "Only Western Arabic numerals: Devanagari ones, say, are not among its answers.",
        "Letters that look like a digit (O, l, S, Z, b, q) may be read as that digit.",
    ]
    if not refuses(results):
        lines.append("It does not know what is not a digit: every ink is read as one of the ten.")
    yield "\n".join(f"- {line}" for line in lines)
    yield "### Ethical considerations"
    yield (
        "A digit that is misread can cost someone money, a mark or a dose: where it can, a person "
        "should read it. What is drawn may be personal; the network keeps nothing of what it "
        "reads."
    )
    yield "### Recommendations"
    yield (
        "Show the answer to whoever wrote, with its probability. Let a person read what is refused "
        "or below a probability that you choose on drawings of your own users: measure there "
        "first, as the evaluation below does with `--drawings`."
    )


def _measured_limits(evaluation: Figures) -> Iterator[str]:
    if test := evaluation.get("test"):
        worst = min(test["by_digit"], key=lambda each: each["recall"])
        yield (
            f"Digits are not read equally well: {a(worst['digit'])} is read right in "
            f"{percent(worst['recall'])} of the test images, all digits in "
            f"{percent(test['accuracy']['value'])}."
        )
        for surest in test["mistakes"][:1]:
            yield (
                f"It can be sure and wrong: the surest mistake, {a(surest['label'])} read as "
                f"{surest['digit']}, has a confidence of {sure(surest['confidence'])}."
            )
    if drawings := evaluation.get("drawings"):
        yield (
            f"People's drawings were measured with {drawings['n']:,} of {drawings['writers']} "
            "writers: too few to speak for everyone."
        )
    if refusal := evaluation.get("refusal"):
        kind, worst = min(refusal["kinds"].items(), key=lambda each: each[1]["refused"])
        yield (
            "What is no digit may pass as one: of the kinds measured, most often "
            f"{kind}, of which {percent(worst['refused'], 1)} are refused."
        )


def _start(results: Figures, where: str) -> Iterator[str]:
    yield "## How to get started"
    on_hub = _on_hub(where)
    ways = [_with_the_project(where), _in_plain_torch(results, where)]
    for way in reversed(ways) if on_hub else ways:  # the project's code is not on the Hub
        yield from way


def _on_hub(where: str) -> bool:
    return bool(_HUB_ID.fullmatch(where)) and not Path(where).is_dir()  # as Reader.load takes it


def _with_the_project(where: str) -> Iterator[str]:
    yield "### With the code of Draw a digit"
    yield "In a copy of that project, from any picture of a digit, a photo of paper too:"
    yield (
        "```python\nfrom model import Reader\n\n"
        f'reading = Reader.load({_string(where)}).read("digit.png")\n'
        "print(reading.verdict, reading.digit, reading.confidence)\n```"
    )


def _in_plain_torch(results: Figures, where: str) -> Iterator[str]:
    yield "### In plain torch"
    hub = " huggingface_hub" if _on_hub(where) else ""
    yield f"```bash\npip install torch safetensors{hub} pillow numpy\n```"
    yield (
        "The forward pass, of a picture that is 28 × 28 pixels, light ink on a dark ground, and "
        "framed as MNIST's are (the ink's box within 20 × 20, its centre of mass in the middle):"
    )
    yield f"```python\n{_forward(results, where)}```"


def _forward(results: Figures, where: str) -> str:
    on_hub = _on_hub(where)

    def path(file: str) -> str:
        return (
            f'hf_hub_download({_string(where)}, "{file}")' if on_hub else _string(f"{where}/{file}")
        )

    hub = "from huggingface_hub import hf_hub_download\n" if on_hub else ""
    n_hidden = len(results["recipe"]["hidden_sizes"])
    layers = "".join(
        f'x = torch.relu(x @ weights["layers.{i}.weight"].T + weights["layers.{i}.bias"])\n'
        for i in range(n_hidden)
    )
    verdict = (
        'no_digit = x @ weights["not_a_digit.weight"].T + weights["not_a_digit.bias"]\n'
        "not_a_digit = torch.cat([logits, no_digit], 1).softmax(1)[0, 10].item()\n"
        'print("not a digit" if not_a_digit > config["threshold"] else "a digit")\n'
    )
    return (
        f"import json\nfrom pathlib import Path\n\nimport numpy as np\nimport torch\n{hub}"
        "from PIL import Image\nfrom safetensors.torch import load_file\n\n"
        f"weights = load_file({path('model.safetensors')})\n"
        f"config = json.loads(Path({path('config.json')}).read_text())\n"
        'pixels = np.array(Image.open("digit.png").convert("L"), dtype=np.float32) / 255\n'
        f"x = torch.from_numpy(pixels).reshape(1, 784)\n{layers}"
        f'logits = x @ weights["layers.{n_hidden}.weight"].T + weights["layers.{n_hidden}.bias"]\n'
        'probabilities = (logits / config["temperature"]).softmax(1)[0]\n'
        "print(probabilities.argmax().item(), probabilities.max().item())\n"
        f"{verdict if refuses(results) else ''}"
    )


def _string(text: str) -> str:
    """Write a string as Python does, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _training(results: Figures) -> Iterator[str]:
    recipe = results["recipe"]
    yield "## Training details"
    yield "### Training data"
    yield (
        "[MNIST](https://huggingface.co/datasets/ylecun/mnist): 60,000 images of digits, 28 × 28, "
        "which LeCun, Cortes and Burges made of NIST's forms. 50,000 were trained on and 10,000 "
        "validated on, split at random by the seed; the 10,000 test images had no part in it. The "
        "images do not tell who wrote them."
    )
    yield from _drawn(recipe)
    yield "### Training procedure"
    yield "#### Preprocessing"
    yield (
        "Any picture is framed as MNIST's makers did: the ink's box is fitted into 20 × 20 "
        "pixels, and its centre of mass moved to the middle of 28 × 28. The page, the API, the "
        "synthetic digits and Python share that code."
    )
    yield "#### Command and hyperparameters"
    if "command" in results:
        yield f"```bash\n{results['command']}\n```"
    rows = [(_RECIPE[key], _plain(recipe[key])) for key in _RECIPE if key in recipe]
    yield table(("hyperparameter", "value"), rows) if rows else "The recipe was not recorded."
    yield (
        "32-bit floats (TF32 on CUDA). The loss is the cross-entropy of one softmax, over the ten "
        "digits and, where it learns to refuse, the eleventh output. Then one temperature is "
        "fitted on the validation digits"
        + (", the synthetic ones included" if recipe.get("pens") or recipe.get("outliers") else "")
        + (
            ", and the eleventh output's bias is set so that at most "
            f"{percent(MAX_REFUSED, 1)} of MNIST's validation digits and at most "
            f"{percent(MAX_REFUSED_PENS, 1)} of the synthetic ones are refused."
            if refuses(results)
            else "."
        )
        + " The same command gives the same weights on the same machine."
    )
    yield from _times(results)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _drawn(recipe: Figures) -> Iterator[str]:
    lines = []
    if recipe.get("pens"):
        lines.append(
            f"{recipe['pens']:g} synthetic digits to each image of MNIST: strokes in the styles of "
            "several countries, jittered and drawn with pens from a hairline to a marker "
            "(`training/pens.py`)."
        )
    if recipe.get("outliers"):
        lines.append(
            f"{recipe['outliers']:g} pictures of no digit to each: letters, signs, scribbles, "
            "dots, dashes, noise (`training/outliers.py`)."
        )
    if lines:
        yield "To these were added, drawn by a program and not by people:"
        yield "\n".join(f"- {line}" for line in lines)
    if recipe.get("teacher"):
        yield (
            f"It learned the probabilities that `{recipe['teacher']}` gives all these pictures, in "
            "place of their labels (Hinton et al. 2015)."
        )


def _times(results: Figures) -> Iterator[str]:
    yield "#### Course"
    history = results.get("history")
    if not history:
        yield "Its history was not recorded."
        return
    yield (
        f"{len(history)} epochs in {results['seconds']:,.0f} s on {results['device']}. The weights "
        f"of epoch {results['best_epoch']} are kept, the best by validation: "
        f"{percent(results['val_accuracy'])} of the 10,000 validation images are read right"
        + (
            f", and {percent(results['pens_accuracy'])} of the synthetic digits; their sum decides."
            if "pens_accuracy" in results
            else "."
        )
        + (" The training was ended early by hand." if results.get("interrupted") else "")
    )
    yield image("training", training_alt(results))
    yield (
        "The training loss is not to be held against the validation loss: it is measured, too, on "
        "pictures that are distorted, synthetic or no digit at all"
        + (
            ", and against the teacher's probabilities."
            if results["recipe"].get("teacher")
            else "."
        )
        if results["recipe"].get("outliers") or results["recipe"].get("distort")
        else "Both losses are means over an epoch."
    )


def training_alt(results: Figures) -> str:
    """Say what the training curves show."""
    first, last = results["history"][0], results["history"][-1]
    [best] = [each for each in results["history"] if each["epoch"] == results["best_epoch"]]
    return (
        f"Loss and error by epoch. Of the validation images {percent(first['val_accuracy'])} are "
        f"read right after epoch {first['epoch']}, {percent(best['val_accuracy'])} after epoch "
        f"{best['epoch']}, which is kept, and {percent(last['val_accuracy'])} after epoch "
        f"{last['epoch']}, the last."
    )


def _energy(results: Figures) -> Iterator[str]:
    yield "## Environmental impact"
    text = "No meter was there, so energy and carbon were not measured."
    if "seconds" in results:
        threads = re.fullmatch(r"cpu, (\d+) threads?", str(results.get("device")))
        if threads:
            seconds = round(results["seconds"])  # so that the product is that of what is shown
            text += (
                f" The training took {seconds:,} s on {threads[1]} threads of a processor: "
                f"{seconds * int(threads[1]):,} thread-seconds."
            )
        else:
            text += f" The training took {results['seconds']:,.0f} s on {results['device']}."
        if results["recipe"].get("pens") or results["recipe"].get("outliers"):
            text += " Drawing the synthetic pictures is not counted."
        if teacher := results["recipe"].get("teacher"):
            text += f" The training of `{teacher}`, its teacher, comes on top."
    yield text


def _specifications(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "## Technical specifications"
    yield "### Architecture"
    yield _architecture(results)
    yield "### Size and speed"
    size, speed = evaluation.get("size"), evaluation.get("speed")
    if not size or not speed:
        yield not_measured("Size and speed")
    else:
        rows = [
            ("parameters", f"{size['parameters']:,}"),
            ("model.safetensors", f"{size['bytes']:,} bytes"),
            ("multiply-adds a digit", f"{size['multiply_adds']:,}"),
            ("from a drawing of 280 × 280 px to its reading", f"{speed['read_ms']:.2f} ms"),
            ("the forward pass of one image", f"{speed['forward_ms']:.3f} ms"),
            ("the forward pass of 10,000 images", f"{speed['forward_10000_s']:.3f} s"),
        ]
        yield table(("what", "measured"), rows)
        yield (
            f"Medians, on {speed['threads']} thread of the {speed['device'].upper()} of: "
            f"{evaluation['machine']}."
        )
    yield "### Software"
    yield _software(results, evaluation)


def _architecture(results: Figures) -> str:
    text = f"{sizes(results)}: "
    if results["recipe"]["hidden_sizes"]:
        text += "linear layers with ReLU in between; the last one gives the ten logits"
    else:
        text += "one linear layer gives the ten logits"
    text += ", and a layer beside it the eleventh." if refuses(results) else "."
    if "temperature" in results:
        text += f" The logits are divided by a temperature of {results['temperature']:.4f}."
    return text


def _software(results: Figures, evaluation: Figures) -> str:
    lines = [
        f"{what} with Python {found['python']} and torch {found['torch']}"
        for what, found in (
            ("trained", results.get("versions")),
            ("measured", evaluation.get("versions")),
        )
        if found
    ]
    text = ", ".join(lines) or "versions were not recorded"
    return f"{text[0].upper()}{text[1:]}. Weights are safetensors; nothing is unpickled."


def _end(results: Figures, evaluation: Figures) -> Iterator[str]:
    yield "## Glossary"
    yield "\n".join(
        f"- **{term}**: {meaning}"
        for term, meaning in {
            "Logit": "the network's score for a digit; the softmax turns ten into probabilities.",
            "Confidence": "the probability of the digit that is answered.",
            "Temperature": "a number that divides the logits, so that confidence and accuracy "
            "agree (Guo et al. 2017).",
            "Threshold": "above this probability of being no digit, ink is refused.",
            "Pens": "digits that a program wrote as strokes and drew with pens of many widths.",
        }.items()
    )
    yield "## Citation"
    teacher = _HINTON if results["recipe"].get("teacher") else ""
    yield f"```bibtex\n{_BIBTEX}{teacher}```"
    yield "## About this card"
    yield (
        "Written by `python -m training.card` from `results.json` and `evaluation.json` beside it, "
        "with the contents that Mitchell et al. (2019) ask for, in the order of the Hub's "
        "annotated template; every measured figure comes from these files."
    )


_HINTON = """@misc{hinton2015distilling,
  title = {Distilling the Knowledge in a Neural Network},
  author = {Hinton, Geoffrey and Vinyals, Oriol and Dean, Jeff},
  howpublished = {arXiv:1503.02531}, year = {2015}
}
"""
_BIBTEX = """@article{lecun1998gradient,
  title = {Gradient-based learning applied to document recognition},
  author = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal = {Proceedings of the IEEE},
  volume = {86}, number = {11}, pages = {2278--2324}, year = {1998}
}
@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {International Conference on Machine Learning}, year = {2017}
}
@inproceedings{mitchell2019model,
  title = {Model Cards for Model Reporting},
  author = {Mitchell, Margaret and Wu, Simone and Zaldivar, Andrew and Barnes, Parker and
    Vasserman, Lucy and Hutchinson, Ben and Spitzer, Elena and Raji, Inioluwa Deborah and
    Gebru, Timnit},
  booktitle = {Conference on Fairness, Accountability, and Transparency}, year = {2019}
}
"""
