"""The page of a report in a real browser, without a screen or a network, told what to do over a pipe (DevTools)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

from bridle.study.report import report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe")  # fmt: skip
PATIENCE = 300.0
"""Seconds after which a browser is ended that still has something to do."""


def chromium() -> str | None:
    """Where one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of 1280 x 900 pixels. `requests` are the addresses that it asked for, `said` is what it complained of."""

    def __init__(self, program: str, home: Path):
        down, up = os.pipe(), os.pipe()
        # The browser reads commands from its file 3 and writes answers to its file 4.
        script = f"exec {program} {' '.join(repr(flag) for flag in FLAGS)} --user-data-dir='{home}' about:blank"
        script += f" 3<&{down[0]} 4>&{up[1]}"
        self._process = subprocess.Popen(
            ["bash", "-c", script], pass_fds=(down[0], up[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(down[0])
        os.close(up[1])
        self._to, self._from, self._left, self._count = down[1], os.fdopen(up[0], "rb"), b"", 0
        self._events: set[str] = set()
        self._watch = threading.Timer(PATIENCE, self._process.kill)
        self._watch.start()
        self.requests: list[str] = []
        self.said: list[str] = []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tell(f"{domain}.enable")
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.tell("Network.emulateNetworkConditions", offline=True, **conditions)
        self.size(1280, 900)

    _session: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self._watch.cancel()
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        self._from.close()

    def tell(self, method: str, **params) -> dict[str, Any]:
        """Its answer to a command."""
        self._count += 1
        told = {"id": self._count, "method": method, "params": params}
        os.write(self._to, json.dumps(told | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._count:
                assert "error" not in heard, heard
                return heard["result"]
            self._note(heard)

    def size(self, width: int, height: int) -> None:
        """The window, in pixels."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, script: str) -> Any:
        """What an expression of JavaScript comes to, as JSON."""
        told = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def open(self, page: Path, ready: str) -> None:
        """Go to a file, and wait until `ready` is true there."""
        self._events.clear()
        self.tell("Page.navigate", url=page.resolve().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._note(self._hear())
        while not self.run(ready):
            time.sleep(0.1)

    def picture(self, path: Path) -> Path:
        """A PNG of what the window shows."""
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot")["data"]))
        return path

    def _hear(self) -> dict[str, Any]:
        words = bytearray()
        while (letter := self._from.read(1)) != b"\0":
            assert letter, f"the browser has left; it said {self.said}"
            words += letter
        return json.loads(words)

    def _note(self, heard: dict[str, Any]) -> None:
        self._events.add(heard.get("method", ""))
        params = heard.get("params", {})
        if heard.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if heard.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(params["exceptionDetails"]))
        if heard.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        if heard.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.said.append(json.dumps(params["args"]))


@pytest.fixture
def one_axis(make_run, tmp_path):
    """Three seeds of ours beside a table that tells env steps alone."""
    table = tmp_path / "theirs" / "SafetyCarCircle-v0_cost_10" / "cvpo_s1"
    table.mkdir(parents=True)
    rows = ["CostLimit\tTotalEnvInteracts\teval/TestEpRet\teval/TestEpCost\teval/TestEpLen"]
    rows += [f"10\t{1000 * k}\t{20 * k}\t{30 - k}\t300" for k in range(1, 11)]
    (table / "progress.txt").write_text("\n".join(rows) + "\n")
    for seed in range(3):
        make_run(tmp_path / "theirs" / f"ours-{seed}", seed, algorithm="sac-lag")
    return tmp_path / "theirs"


@pytest.fixture
def modelled(make_run, tell, tmp_path):
    """Two methods, one of which has learned a model."""
    metrics = {f"policy/case_{k}": [float(k == 2)] * 4 for k in range(5)}
    metrics |= {f"policy/{world}_{what}": [1.0] * 4 for world in ("real", "imagined") for what in ("reward", "cost")}
    tell(make_run(tmp_path / "models" / "a", algorithm="cmbpo"), metrics)
    make_run(tmp_path / "models" / "b")
    return tmp_path / "models"


@pytest.mark.skipif(chromium() is None, reason=f"none of {', '.join(NAMES)} is installed")
def test_a_browser_without_a_network_draws_the_page_and_minds_its_buttons(study, hostile, one_axis, modelled, tmp_path):
    page = report([study], tmp_path / "page.html")
    alone = report([one_axis], tmp_path / "alone.html")
    attack = report([hostile[0]], tmp_path / "attack.html")
    diagnosed = report([modelled], tmp_path / "diagnosed.html")
    with Browser(chromium(), tmp_path / "profile") as window:
        window.open(page, "document.documentElement.dataset.drawn === '3'")
        assert (
            window.run("[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('svg.main-svg').length)")
            == [3] * 3
        )
        drawn = "[...document.querySelectorAll('.plot')].map(p => p.querySelectorAll('.trace').length)"
        curves_drawn, boxes, points = window.run(drawn)
        assert (boxes, points) == (2 * 3, 2 * 2)
        assert curves_drawn == 2 * 2 * (2 + 1 + 3), "2 methods, 2 panels: the mean twice, a band, 3 seeds"
        assert window.run("document.documentElement.scrollWidth <= innerWidth"), "nothing stands out to the right"
        picture = window.picture(tmp_path / "page.png").read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) > 30_000

        def after(click):
            window.run(f"document.querySelector('{click}').click()")
            return window.run(drawn)

        assert after('[data-part="seed"]')[0] == curves_drawn - 2 * 2 * 3
        assert after('[data-part="training"]')[0] == curves_drawn - 2 * 2 * 3 + 2 * 2
        assert after('[data-method="1"]') == [(curves_drawn - 2 * 2 * 3 + 2 * 2) / 2, 3, 2]
        after('[data-axis="minutes"]')
        assert window.run("document.querySelector('.xtitle').textContent") == "minutes of training"
        assert "Share" not in window.run(
            "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title).join()"
        )
        cells = (
            "[...document.querySelectorAll('.sortable tbody')[0].rows].map(row => parseFloat(row.cells[3].textContent))"
        )
        before = window.run(cells)
        window.run("document.querySelectorAll('.sortable th button')[3].click()")
        assert window.run(cells) == sorted(before) != before

        window.open(alone, "document.documentElement.dataset.drawn === '3'")
        assert window.run("document.querySelectorAll('[data-axis]').length") == 0
        whole = window.run(drawn)[0]
        assert after('[data-part="seed"]')[0] == whole - 2 * 3 > 0 and after('[data-part="seed"]')[0] == whole

        window.open(diagnosed, "document.documentElement.dataset.drawn === '5'")
        assert window.run(drawn)[3:] == [4, 5], "real and imagined, reward and cost; a step's five cases"
        assert after('[data-method="0"]')[3:] == [0, 0]

        window.open(attack, "document.documentElement.dataset.drawn !== undefined")
        assert window.run("window.pwned === undefined")
        assert window.run("document.querySelector('.y2title').textContent") == f"cost: {hostile[1]}"
        assert window.said == []
        assert [url for url in window.requests if not url.startswith(("file:", "data:"))] == []
