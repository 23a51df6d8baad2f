"""A headless Chromium driven through its debugging port, with nothing but what JupyterLab brings along."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
import urllib.request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def executable() -> str | None:
    """Path of a Chromium, None when there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


#: Expression for the words of a page that are broken over lines with a piece of two letters or fewer.
BROKEN_WORDS = r"""(() => {
  const found = [], range = document.createRange();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.parentElement.closest('script, style, math, svg')) continue;
    for (const word of text.data.matchAll(/[A-Za-z]{4,}/g)) {
      const pieces = [];
      let line = null;
      for (let i = word.index; i < word.index + word[0].length; i++) {
        range.setStart(text, i); range.setEnd(text, i + 1);
        const place = range.getClientRects()[0];
        if (!place) continue;
        if (line === null || Math.abs(place.top - line) > 4) { pieces.push(0); line = place.top; }
        pieces[pieces.length - 1]++;
      }
      if (pieces.length > 1 && Math.min(...pieces) <= 2) found.push(word[0] + ': ' + pieces);
    }
  }
  return found;
})()"""


class Page:
    """One page of a browser that can reach nothing but this machine.

    Parameters
    ----------
    folder : Path
        For the profile.
    width, height : int
        Of the window [pixels].
    """

    def __init__(self, folder, width=1500, height=1400):
        command = [
            executable(),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            f"--window-size={width},{height}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "about:blank",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = wait(lambda: (folder / "DevToolsActivePort").read_text().split()[0], 60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            target = next(t for t in json.load(answer) if t["type"] == "page")
        self.loop, self.count = asyncio.new_event_loop(), 0
        self.socket = self.loop.run_until_complete(self._connect(target["webSocketDebuggerUrl"]))

    async def _connect(self, address):
        from tornado.websocket import websocket_connect

        return await websocket_connect(address, max_message_size=2**26)

    def send(self, method, **parameters) -> dict:
        """Send a command and return its result."""
        self.count += 1
        return self.loop.run_until_complete(self._send(self.count, method, parameters))

    async def _send(self, number, method, parameters):
        await self.socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), 120))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    def js(self, code):
        """Value of an expression in the page; promises are awaited."""
        told = self.send("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def click(self, code):
        """Click the middle of the element that an expression gives."""
        self.js(f"({code}).scrollIntoView({{block: 'center'}})")
        time.sleep(0.5)
        x, y = self.js(
            f"(() => {{const r = ({code}).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]}})()"
        )
        for kind, more in (
            ("mouseMoved", {}),
            ("mousePressed", {"button": "left"}),
            ("mouseReleased", {"button": "left"}),
        ):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, clickCount=1 if more else 0, **more)
            time.sleep(0.3)

    def type(self, code, text):
        """Type into the element that an expression gives."""
        self.click(code)
        self.send("Input.insertText", text=text)

    def resize(self, width, height):
        """Give the window another size [pixels]."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self, path):
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def close(self):
        """End the browser."""
        self.socket.close()
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.process.terminate()
        self.process.wait(30)
        self.loop.close()


def wait(question, seconds):
    """First answer that is true; an OSError counts as none.

    Raises
    ------
    AssertionError
        There was none in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answer = question()
        except (OSError, IndexError):
            answer = None
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"nothing within {seconds} s")
