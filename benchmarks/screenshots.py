"""Take screenshots of the pages: python -m benchmarks.screenshots FOLDER

They show a 9, a scribble, a blank sketchpad, the lesson and a model card, on a desktop and a phone,
light and dark. The README's picture, screenshot.png, shows the 9 on a desktop without scrolling.
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.browser import DEVICES, chromium, serve

SCRIBBLE = [(40, 60), (240, 80), (50, 110), (230, 130), (40, 160), (240, 190), (60, 200)]
PAD = 280  # side of the sketchpad, in units of SCRIBBLE


def scribble(page: Page) -> None:
    """Draw a scribble."""
    box = page.get_by_test_id("sketchpad").bounding_box()
    assert box
    places = [
        (box["x"] + x / PAD * box["width"], box["y"] + y / PAD * box["width"]) for x, y in SCRIBBLE
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def open_card(page: Page) -> None:
    """Go to the default model's card, and wait until it is loaded."""
    page.get_by_role("link", name="Model card").click()
    page.locator("[data-testid=card][data-model]").wait_for()


def open_lesson(page: Page) -> None:
    """Go to the lesson, and wait until it reads the drawing."""
    page.get_by_role("link", name="How it works").click()
    page.get_by_test_id("reads").filter(has_text="reads").wait_for()


VIEWS = {
    "nine": lambda page: page.get_by_test_id("example-9").click(),
    "scribble": scribble,
    "blank": lambda page: None,
    "card": open_card,
    "lesson": open_lesson,
}


def main() -> int:
    """Write a PNG for each device, colour scheme and view."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with serve() as url, chromium() as browser:
        for device, settings in DEVICES.items():
            for scheme in ("light", "dark"):
                for name, show in VIEWS.items():
                    context = browser.new_context(**settings, color_scheme=scheme)
                    page = context.new_page()
                    page.goto(url)
                    page.get_by_test_id("sketchpad").wait_for()
                    page.wait_for_timeout(1000)
                    show(page)
                    page.wait_for_timeout(2500)
                    path = folder / f"{device}-{scheme}-{name}.png"
                    page.screenshot(path=path, full_page=True)
                    print(path)
                    if path.name == "desktop-light-nine.png":
                        page.screenshot(path=folder / "screenshot.png")
                    context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
