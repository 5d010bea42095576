"""What every test may ask for, and what every test gets: a working directory of its own."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Iterator, List, Set

import psutil
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

# No time limits: a busy machine must not fail a property. No database: nothing is left in the tree. Under CI the
# examples are always the same, so that a change is not judged by another's luck; everywhere else they are new ones.
settings.register_profile(
    "flowdsl",
    deadline=None,
    database=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fewer", settings.get_profile("flowdsl"), max_examples=25)  # for a second Python
settings.load_profile("flowdsl")

# A shell starts what goes on behind it with Ctrl-C switched off, and children inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own working directory, so that `./logs` never lands in the tree."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True, scope="session")
def quiet_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep matplotlib off the screen, and IPython, Jupyter, matplotlib and flowdsl's key out of the home directory."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "Agg")
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "jupyter-runtime"))
        yield


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A journal directory of the test's own; it does not exist yet."""
    return tmp_path / "logs" / "tasks"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The directory that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The `shared` directory beside the repository, with recorded workflows; skips where there is none."""
    found = REPOSITORY.parent / "shared"
    if not (found / "data").is_dir():
        pytest.skip("no directory `shared/data` beside the repository")
    return found


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails the test when it leaves a child process or a thread that keeps the interpreter alive."""
    threads = set(threading.enumerate())
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left: List[str] = _left_behind(threads, children)
    for _ in range(60):  # what is on its way out gets six seconds
        if not left:
            return
        threading.Event().wait(0.1)
        left = _left_behind(threads, children)
    pytest.fail(f"left behind by pid {os.getpid()}: {', '.join(left)}")


def _left_behind(threads: Set[threading.Thread], children: Set[int]) -> List[str]:
    new_threads = [t for t in threading.enumerate() if t not in threads and not t.daemon and t.is_alive()]
    new_children = [c for c in psutil.Process().children(recursive=True) if c.pid not in children]
    return [f"thread {t.name}" for t in new_threads] + [f"process {c.pid}" for c in new_children]
