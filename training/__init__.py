import importlib.util

NEEDS = ("HersheyFonts", "matplotlib", "torchvision", "tqdm")

# Said at once, and not after the minutes that it takes to come to what is not there.
if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
    raise ImportError(
        f"training needs {', '.join(missing)}, which the app does not: "
        "pip install -r requirements-training.txt"
    )
