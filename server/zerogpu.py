"""What Hugging Face's ZeroGPU asks of a Space before it lets it run."""

import socket

import gradio as gr


def declare() -> None:
    """Declare a function for the GPU, which is never called, and report it to the platform.

    ZeroGPU ends a Space that declares no function. The package `spaces` reports what is declared
    at the first `launch` of any Blocks, so an empty one is launched and closed. A reading takes
    less time on a CPU than it takes to get a GPU, and would use up the visitor's quota.
    """
    import spaces  # ty: ignore[import-not-found]  # which only those Spaces have

    spaces.GPU(_nothing, duration=1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with gr.Blocks(analytics_enabled=False) as empty:
        pass
    empty.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True,
        ssr_mode=False,
    )  # fmt: skip
    empty.close(verbose=False)


def _nothing() -> None:
    """Do nothing, if anyone should ever have a GPU do it."""
