"""What docs/assets/search.js makes of what is typed into the search of the site, in a real browser (`make test-browser`)."""

import pytest

from tests.helpers.browser import FLAGS, chromium_path
from tests.helpers.pages import ROOT

pytestmark = pytest.mark.browser
STAND_IN = "window.sent = []; window.Worker = class { postMessage(message) { window.sent.push(message); } };"
TYPED = {
    "can a fit be served": "fit serv",
    "Served": "serv",
    "ctrl-c": "ctrl",
    "ctrl+c": "ctrl",
    "own model": "own model",
    "loss/excess": "loss/excess",
    "how to install": "install",
    "overfitting": "overfit",
    "optimizer.learning_rate": "optimizer.learning_rate",
    "a": "",
    '"closed form"': '"closed form"',
}


@pytest.fixture(scope="module")
def page():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        page = browser.new_page()
        page.add_script_tag(content=STAND_IN)
        page.add_script_tag(path=ROOT / "docs" / "assets" / "search.js")
        yield page
        browser.close()


@pytest.mark.parametrize("typed", TYPED)
def test_words_without_meaning_and_endings_are_left_out(page, typed):
    found = page.evaluate("typed => { new Worker().postMessage({type: 2, data: typed}); return sent.pop(); }", typed)
    assert found == {"type": 2, "data": TYPED[typed]}


def test_other_messages_stay_what_they_are(page):
    message = {"type": 0, "data": {"docs": "a"}}
    assert page.evaluate("message => { new Worker().postMessage(message); return sent.pop(); }", message) == message
