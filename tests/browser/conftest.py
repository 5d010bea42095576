"""One JupyterLab and one Chromium for all browser tests, a fresh page for each, and a picture of what was seen.

Nothing but this machine can be reached. Screenshots go to the directory that FLOWDSL_SHOTS names, else to a temporary
one; its path is printed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.browser.lab import Lab, Notebook

CHROMIUM = os.environ.get("FLOWDSL_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SERVER = (
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--ServerApp.terminals_enabled=False",
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)
SETTINGS: Dict[str, Dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"autoStartDefaultKernel": False},  # a file whose kernel is not here gets none
}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of its own, that shares nothing with the user's home."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("no JupyterLab here (pip install jupyterlab)")
    home, root = tmp_path_factory.mktemp("jupyter-home"), tmp_path_factory.mktemp("jupyter-root")
    for name, settings in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    with (home / "jupyter.log").open("w+", encoding="utf-8") as log:
        port, token = free_port(), secrets.token_hex(16)
        command = [sys.executable, "-m", "jupyterlab", *SERVER, f"--port={port}", f"--ServerApp.root_dir={root}"]
        server = subprocess.Popen(
            command, env=environment(home, token), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, home / "jupyter.log")
            yield Lab(f"http://127.0.0.1:{port}", token, root)
        finally:
            end(server)


def environment(home: Path, token: str) -> Dict[str, str]:
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    paths = {name: str(home / folder) for name, folder in own.items()}
    return {**os.environ, **paths, "JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_TOKEN": token}


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def wait_for(url: str, server: Any, log: Path) -> None:
    until = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"JupyterLab did not start:\n{text[-4000:]}") from None
            time.sleep(0.1)


def end(server: Any) -> None:
    """Our own server, by its id; its kernels end with it."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(20)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright here (pip install playwright)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    named = os.environ.get("FLOWDSL_SHOTS")
    path = Path(named) if named else tmp_path_factory.mktemp("shots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def notebook(lab: Lab, chromium: Any, shots: Path, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A page for one notebook; it leaves a picture of how it ended."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    name = request.node.name.replace("test_", "", 1)[:60]
    yield Notebook(page, lab, name)
    page.screenshot(path=shots / f"{name}.png")
    print("screenshot:", shots / f"{name}.png")
    context.close()
