"""A real browser that tests of pages drive: DevTools protocol over a pipe, no network, no package."""

import base64
import fcntl
import itertools
import json
import os
import re
import subprocess
import time

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "--window-size=900,700",
)  # fmt: skip

_ADVICE = re.compile("GL Driver Message|willReadFrequently")  # about speed, to who writes pages


class Browser:
    """One window of headless Chromium.

    Attributes:
        said: What pages wrote to the console, and their errors.
        fetched: The addresses that pages asked for, themselves included.
    """

    def __init__(self, profile):
        self.said, self.fetched = [], []
        self._numbers, self._session, self._text = itertools.count(1), None, b""
        pipes = [*os.pipe(), *os.pipe()]
        reads, self._commands, self._answers, writes = [
            fcntl.fcntl(p, fcntl.F_DUPFD_CLOEXEC, 10) for p in pipes
        ]
        for pipe in pipes:
            os.close(pipe)

        def connect():
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        self._process = subprocess.Popen(
            ["chromium", *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(reads)
        os.close(writes)
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url):
        """Opens a page and waits until it has drawn twice."""
        self.said.clear()
        self.fetched.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.run("document.readyState === 'complete' || new Promise(done => addEventListener('load', done))")
        self.settle()

    def new_tab(self, url):
        """Opens a page in a tab of its own, and returns the session of the one before; see `turn_to`."""
        before, self._session = self._session, None
        made = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=made, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.open(url)
        return before

    def turn_to(self, session):
        """Drives another tab, and returns the session of the one before."""
        before, self._session = self._session, session
        self.call("Page.bringToFront")
        return before

    def choose_file(self, selector, path):
        """Puts a file into the input of files that a selector finds."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def wait(self, condition, seconds=30):
        """Waits until a script of the page says that something is so."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, (condition, self.run("document.body.innerText"))
            time.sleep(0.03)

    def settle(self):
        self.run("new Promise(done => setTimeout(() => requestAnimationFrame(() => setTimeout(done)), 100))")

    def run(self, script):
        """Returns what a script of the page gives, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def mouse(self, kind, x, y, **details):
        """Sends a real event: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **details)

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def picture(self, path):
        """Returns the window as it looks, (H,W,3) in 0..1."""
        from matplotlib.image import imread

        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
        return imread(path)[..., :3]

    def call(self, method, **params):
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]
            self._note(message)

    def _receive(self):
        while b"\0" not in self._text:
            self._text += os.read(self._answers, 1 << 20) or b'{"id": -1}\0'
        line, self._text = self._text.split(b"\0", 1)
        message = json.loads(line)
        assert message.get("id") != -1, "Chromium ended"
        return message

    def _note(self, message):
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled":
                self.said.append(" ".join(str(part.get("value")) for part in params["args"]))
            case "Runtime.exceptionThrown":
                self.said.append(params["exceptionDetails"]["exception"]["description"])
            case "Log.entryAdded" if not _ADVICE.search(params["entry"]["text"]):
                self.said.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.fetched.append(params["request"]["url"])

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._commands)
        os.close(self._answers)
