"""Pages in a real browser, headless Chromium: what becomes of them there, and what it complains about.

It is spoken to through two pipes, in the DevTools protocol: JSON, a zero byte after each message.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "about:blank")
# It reads from 3 and writes to 4, whatever numbers our ends have.
START = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
PATIENCE = 600  # seconds until a browser that hangs is ended
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}
WIDTHS = "[document.documentElement.clientWidth, document.documentElement.scrollWidth]"  # of the window, of the page


class Page:
    """A tab. console: what was said there since the page was opened, of any kind."""

    def __init__(self, to, answers):
        self._to, self._answers, self._number, self._session = to, answers, 0, None
        self.console: list[str] = []
        self._loaded = False
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def go(self, address: str, width: int = 1280, height: int = 800) -> None:
        """Opens an address in a window of this size, and waits until all of it is there."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        # Away first: to another fragment of the same page it would only scroll.
        for where in ("about:blank", address):
            self._loaded, self.console = False, []
            self._call("Page.navigate", url=where)
            while not self._loaded:
                self._hear()

    def ask(self, script: str):
        """The value of an expression, or what its promise becomes."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key, as from a keyboard."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self._call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": "\r"} if key == "Enter" else {}))
        self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, x: float, y: float) -> None:
        """A click of the left button, in pixels of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _call(self, method: str, **parameters) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._to.write(json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        self._to.flush()
        while (heard := self._hear()).get("id") != self._number:
            pass
        assert "error" not in heard, heard["error"]
        return heard["result"]

    def _hear(self) -> dict:
        text = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser is gone"
            text += byte
        heard = json.loads(text)
        match heard.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(one.get("value")) for one in heard["params"]["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(heard["params"]["exceptionDetails"]["exception"]["description"])
            case "Log.entryAdded":
                self.console.append(heard["params"]["entry"]["text"])
        return heard


@contextlib.contextmanager
def started() -> Iterator[Page]:
    name = next((name for name in NAMES if shutil.which(name)), None)
    if name is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["bash", "-c", START, "bash", str(theirs_in), str(theirs_out)]
        command += [name, f"--user-data-dir={profile}", *FLAGS]
        process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        with open(ours_out, "wb") as to, open(ours_in, "rb") as answers:
            try:
                yield Page(to, answers)
            finally:
                guard.cancel()
                process.terminate()
                process.wait()
