"""Train networks on MNIST, evaluate them, and publish them with a model card."""

import importlib.util

REQUIRED = ("HersheyFonts", "joblib", "matplotlib", "torchvision", "tqdm")

# Checked here, so that a command fails immediately instead of after minutes of training.
if missing := [name for name in REQUIRED if importlib.util.find_spec(name) is None]:
    raise ImportError(
        f"Training needs {', '.join(missing)}, which requirements.txt does not install. "
        "Run: pip install -r requirements-training.txt"
    )
