"""What Hugging Face's ZeroGPU asks of a Space before it lets it run."""


def declare() -> None:
    """Declare a function for the GPU, and never call it, between importing Gradio and its launch.

    ZeroGPU ends a Space that has declared none by the time it is launched. A reading takes less
    time on a CPU than a GPU takes to be had, and a visitor's share of it would be spent on that.
    """
    import spaces  # ty: ignore[import-not-found]  # which only those Spaces have

    spaces.GPU(_nothing, duration=1)


def _nothing() -> None:
    """Do nothing, if anyone should ever have a GPU do it."""
