"""Meet the requirements of Hugging Face's ZeroGPU hardware."""

import socket

import gradio as gr


def declare() -> None:
    """Declare a GPU function that is never called, and report it to the platform.

    ZeroGPU stops a Space that declares no function. The package `spaces` reports the declared
    functions at the first `launch` of any Blocks, so an empty one is launched and closed. The app
    reads on the CPU: that takes less time than to allocate a GPU, and no visitor's quota.
    """
    import spaces  # ty: ignore[import-not-found]  # installed only in those Spaces

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
    """Do nothing. ZeroGPU requires a declared function, but this one is never called."""
