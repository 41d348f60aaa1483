"""Takes a picture of a page of Airflow in headless Chromium: picture.py URL FILE [BUTTON…], clicking the buttons first.

Run it with the Airflow environment's python, which has a WebSocket client.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import websocket  # type: ignore[import-untyped]

SECONDS = 120.0

# The first visible element of the page's own controls whose text begins so.
FIND = """(() => { const e = [...document.querySelectorAll('button, a, [role=button], [role=radio], label')].find(
  e => e.offsetParent && (e.innerText.trim() || e.ariaLabel || '').startsWith(%s)); if (e) e.click(); return !!e })()"""


class Page:
    """A tab of a browser of its own."""

    def __init__(self, folder: str) -> None:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1500", f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            ["chromium", *flags, "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self.until(lambda: (file := Path(folder) / "DevToolsActivePort").exists() and file.read_text().split())[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
            [tab] = [t for t in json.load(answer) if t["type"] == "page"]
        self.socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=SECONDS)
        self.numbers = itertools.count(1)

    def until(self, look: Any) -> Any:
        end = time.monotonic() + SECONDS
        while not (found := look()):
            if time.monotonic() > end:
                raise TimeoutError(f"nothing after {SECONDS:.0f} s")
            time.sleep(0.2)
        return found

    def call(self, method: str, **parameters: Any) -> Any:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def true(self, script: str) -> bool:
        return bool(self.call("Runtime.evaluate", expression=script)["result"].get("value"))


def main() -> None:
    url, file, *buttons = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="backfill-chromium-", ignore_cleanup_errors=True) as folder:
        page = Page(folder)
        try:
            page.call("Page.navigate", url=url)
            page.until(lambda: page.true("document.body.innerText.length > 300"))
            for button in buttons:
                page.until(lambda b=button: page.true(FIND % json.dumps(b)))
            time.sleep(3)  # for the page's own transitions, which nothing announces
            Path(file).write_bytes(base64.b64decode(page.call("Page.captureScreenshot")["data"]))
        finally:
            page.process.terminate()
            page.process.wait()


if __name__ == "__main__":
    main()
