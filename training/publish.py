"""Push a checkpoint to the Hugging Face Hub, in one commit."""

from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
from huggingface_hub.utils import validate_repo_id

from model.checkpoint import CONFIG_FILE, RESULTS_FILE, WEIGHTS_FILE

CARD_FILE = "README.md"


class PublishError(Exception):
    """The Hub cannot be pushed to."""


def check_login(repo_id: str) -> str:
    """Check the name and the token before training, not after; return the token's account.

    Raises:
        PublishError: no such name can be, no token, one that is not valid, or no Hub.
    """
    try:
        validate_repo_id(repo_id)
        return HfApi().whoami()["name"]
    except LocalTokenNotFoundError as error:
        raise PublishError(
            "There is no Hugging Face token: log in with `hf auth login`, or set HF_TOKEN."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, HFValidationError) as error:
        raise PublishError(_explain(error)) from error


def push(folder: Path, repo_id: str) -> str:
    """Push a checkpoint's folder to OWNER/NAME, created if new; return the commit's URL.

    Raises:
        PublishError: the Hub refused, or cannot be reached; nothing is half-pushed.
    """
    files = [WEIGHTS_FILE, CONFIG_FILE, RESULTS_FILE, CARD_FILE]
    try:
        api = HfApi()
        api.create_repo(repo_id, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            allow_patterns=files,
            commit_message=f"Upload {folder.name}",
        )
    except (HfHubHTTPError, httpx2.HTTPError, HFValidationError) as error:
        raise PublishError(_explain(error)) from error
    return commit.commit_url


def _explain(error: Exception) -> str:
    if isinstance(error, HFValidationError):
        return f"Not a name on the Hub: {error}"
    response = getattr(error, "response", None)
    if response is None:
        return f"The Hub cannot be reached ({type(error).__name__}): check the network."
    hint = {
        401: "the token is not valid: log in with `hf auth login`",
        403: "the token may not write there: make one with write access",
        429: "too many requests: wait some minutes",
    }.get(response.status_code, "try again later")
    return f"The Hub answered {response.status_code}: {hint}."
