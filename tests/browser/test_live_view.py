"""Runs in a real JupyterLab in a real Chromium: what changes while they go on, what buttons do, what a file keeps."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Iterator, List

import pytest

from tests.browser.lab import Lab, Notebook, kinds

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BEGIN = "import time, os, flowdsl\nfrom flowdsl import Retry, current, progress, task"


def pictured(source: str) -> str:
    """The SVG in an image's source; what comes from a widget is a blob that cannot be read, so its own source."""
    head, _, data = source.partition(",")
    return base64.b64decode(data).decode() if head.endswith("base64") else source


def test_the_picture_changes_while_a_cell_blocks_and_stays_in_the_file(notebook: Notebook, shots: Path) -> None:
    notebook.open(
        [
            BEGIN,
            "@task\ndef first():\n    time.sleep(2)\n    return 1",
            "@task(retries=Retry(1, delay=1.5))\ndef second(first):\n    for step in range(15):\n"
            "        progress(step / 15, 'rows')\n        time.sleep(0.1)\n"
            "    if current().attempt == 1: raise ConnectionError('no answer')\n    return 2",
            "run = second.run()",
        ]
    )
    notebook.run_all()
    seen: List[str] = []
    texts: List[str] = []

    def look() -> bool:
        picture, text = notebook.picture(3), notebook.text(3)
        if picture and picture not in seen:
            seen.append(picture)
            if len(seen) in (1, 3, 4):
                notebook.page.screenshot(path=shots / f"live-{len(seen)}.png")
        texts.append(text)
        return notebook.prompt(3).strip("[]: ").isdigit()

    notebook.wait_until(look)
    said = "\n".join(texts)
    assert len([source for source in seen if source.startswith("blob:")]) >= 3
    assert "\u25ba running" in said and "first" in said
    assert "\u21bb waits to retry" in said and "2 of 2" in said
    assert "ConnectionError: no answer" in said and "line 6 in second" in said
    assert "rows" in said and "\u2588" in said and "%" in said
    notebook.wait_until(lambda: "2 succeeded" in notebook.text(3))
    assert "\u2713 succeeded" in pictured(notebook.picture(3))
    assert not [kind for kind in kinds(notebook.save()) if "widget" in kind]


def test_start_gives_the_prompt_back_and_cancel_kills_a_process_that_sleeps_in_c(notebook: Notebook) -> None:
    notebook.open(
        [
            BEGIN,
            "@task(isolation='process')\ndef stuck():\n    open('pid', 'w').write(str(os.getpid()))\n"
            "    import ctypes\n    ctypes.PyDLL(None).sleep(1000)",  # it holds the GIL: nothing in Python can stop it
            "run = stuck.start()",
            "print('the prompt is', 'back', run.state)",
        ]
    )
    notebook.run_all()
    notebook.wait_until(lambda: "the prompt is back running" in notebook.text(3))
    pid_file = notebook.lab.root / "pid"
    notebook.wait_until(pid_file.exists)
    notebook.wait_until(lambda: "stuck" in notebook.text(2))
    pid = int(notebook.wait_until(pid_file.read_text))
    assert Path(f"/proc/{pid}").exists()
    notebook.button("Cancel").click()
    notebook.wait_until(lambda: "\u25a0 cancelled" in notebook.text(2))
    notebook.wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert notebook.button("Cancel").count() == 0
    assert not [kind for kind in kinds(notebook.save()) if "widget" in kind]


def test_retry_failed_runs_the_mended_task_in_the_same_output(notebook: Notebook, shots: Path) -> None:
    notebook.open(
        [
            BEGIN + "\nruns = []",
            "@task\ndef rows():\n    runs.append('rows')\n    time.sleep(1)\n    return [3, 4]",
            "@task\ndef total(rows, factor=2):\n    time.sleep(0.5)\n    return sum(rows) / (factor - 2)",
            "run = total.start()",
            "run.wait()\n@task\ndef total(rows, factor=2):\n    time.sleep(1)\n    return sum(rows) / (factor - 1)",
            "flowdsl.last_run().wait()\nprint(flowdsl.last_run()['total'], flowdsl.last_run() is run, runs)",
        ]
    )
    for number in range(5):
        notebook.cell(number).locator(".jp-InputArea-editor").click()
        notebook.page.keyboard.press("Shift+Enter")
        notebook.done(number)
    notebook.wait_until(lambda: "ZeroDivisionError" in notebook.text(3))
    assert "\u2717 failed" in pictured(notebook.picture(3))
    notebook.button("Retry failed").wait_for()
    assert not [kind for kind in kinds(notebook.save()) if "widget" in kind], "the row is in the file"
    notebook.wait_until(lambda: notebook.choose("total") and "list of 2" in notebook.text(3))
    assert "its default" in notebook.text(3) and "return sum(rows) / (factor - 2)" in notebook.text(3)
    notebook.page.screenshot(path=shots / "panel.png")
    notebook.button("Retry failed").click()
    notebook.wait_until(lambda: "1 reused" in notebook.text(3) and "1 succeeded" in notebook.text(3))
    notebook.cell(5).locator(".jp-InputArea-editor").click()
    notebook.page.keyboard.press("Shift+Enter")
    notebook.wait_until(lambda: "7.0 False ['rows']" in notebook.text(5))
    assert notebook.button("Retry failed").count() == 0
    assert not [kind for kind in kinds(notebook.save()) if "widget" in kind]


def test_a_map_of_two_thousand_stays_responsive_and_ends_at_a_hundred_per_cent(notebook: Notebook, shots: Path) -> None:
    notebook.open(
        [
            BEGIN,
            "@task\ndef files():\n    return list(range(2000))\n"
            "@task(map='files')\ndef load(files):\n    time.sleep(0.02)",
            "run = load.start(max_workers=8)",
            "print('still', 'here')",
        ]
    )
    notebook.run_all()
    bar = notebook.page.locator(".widget-hprogress .progress-bar, .jupyter-widget-hprogress .progress-bar").first
    bar.wait_for()
    notebook.wait_until(lambda: "still here" in notebook.text(3))
    longest = notebook.page.evaluate(
        """async () => {
            let longest = 0, last = performance.now();
            for (let n = 0; n < 100; n++) {
                await new Promise(resolve => setTimeout(resolve, 10));
                const now = performance.now();
                longest = Math.max(longest, now - last);
                last = now;
            }
            return longest;
        }"""
    )
    assert longest < 1000, "the page did not answer for a second"  # milliseconds
    notebook.wait_until(lambda: "of 2,000 items" in notebook.text(2))
    notebook.page.screenshot(path=shots / "map.png")
    notebook.wait_until(lambda: "2,000/2,000" in notebook.text(2), 120)
    assert "2,000/2,000" in pictured(notebook.picture(2))


def test_the_file_shows_graph_and_table_without_a_kernel_and_untrusted(notebook: Notebook, shots: Path) -> None:
    notebook.open(
        [
            BEGIN,
            "@task\ndef rows():\n    time.sleep(0.5)\n    return 1",
            "@task\ndef total(rows):\n    raise ValueError('no <b>rows</b>')",
            "run = total.start()",
            "run.wait()",
        ]
    )
    notebook.run_all()
    notebook.done(4)
    notebook.wait_until(lambda: "ValueError" in notebook.text(3))
    notebook.button("Retry failed").wait_for()
    saved = notebook.save()
    assert not [kind for kind in kinds(saved) if "widget" in kind]

    # In another page, which trusts it: what ran from there would be shown nowhere, so it says what to type.
    notebook.show()
    notebook.wait_until(lambda: "flowdsl.last_run().rerun(failed=True)" in notebook.text(3))
    notebook.page.wait_for_timeout(1000)
    assert notebook.button("Retry failed").count() == 0
    assert "model not found" not in notebook.page.inner_text("body")

    # As a file that somebody else has sent: another name, so that nobody has trusted it, and no kernel.
    other = notebook.path.with_name("received.ipynb")
    other.write_bytes(notebook.path.read_bytes())
    for cell in (text := json.loads(other.read_text()))["cells"]:
        cell["source"] = [*cell["source"], "\n# a change: the signature of its outputs is no longer known"]
    text["metadata"] = {"kernelspec": {"name": "elsewhere", "display_name": "Not here", "language": "fortran"}}
    other.write_text(json.dumps(text))
    notebook.path = other
    notebook.show()
    notebook.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
    picture = notebook.cell(3).locator(".jp-OutputArea img")
    picture.wait_for()
    box = picture.bounding_box()
    assert box is not None and box["width"] > 100 and box["height"] > 30
    assert picture.evaluate("image => image.naturalWidth") > 100
    text_now = notebook.text(3)
    assert "\u2717 failed" in text_now and "no <b>rows</b>" in text_now and "rows" in text_now
    assert "model not found" not in notebook.page.inner_text("body")
    notebook.page.screenshot(path=shots / "untrusted.png")


@pytest.fixture
def dark(lab: Lab) -> Iterator[None]:
    lab.set_theme("JupyterLab Dark")
    yield
    lab.set_theme("JupyterLab Light")


def test_the_dark_theme_is_legible(notebook: Notebook, shots: Path, dark: None) -> None:
    notebook.open(
        [
            BEGIN,
            "@task\ndef rows():\n    time.sleep(1.5)\n    return 1",
            "@task\ndef total(rows):\n    raise ValueError('no rows')",
            "@task\ndef page(total): ...",
            "page.graph()",
            "run = page.run()",
        ]
    )
    assert notebook.page.evaluate("document.body.dataset.jpThemeLight") == "false"
    notebook.run_all()
    notebook.wait_until(lambda: notebook.page.locator(".jp-Notebook .widget-hprogress").count() > 0)
    notebook.page.wait_for_timeout(500)
    notebook.page.screenshot(path=shots / "dark-running.png")
    notebook.done(5)
    notebook.wait_until(lambda: "upstream failed" in notebook.text(5))
    assert contrasts(notebook, 5) == []
    notebook.wait_until(lambda: "task total failed" in notebook.text(5))
    assert contrasts(notebook, 5, output=1, least=3) == []  # JupyterLab's own red on its own dark red
    notebook.page.screenshot(path=shots / "dark-ended.png")


def contrasts(notebook: Notebook, cell: int, output: int = 0, least: float = 4) -> List[str]:
    """The texts in a cell's output whose colour stands too little off what is behind it (WCAG: 4.5, large text 3)."""
    found: List[str] = (
        notebook.cell(cell)
        .locator(".jp-OutputArea-output")
        .nth(output)
        .evaluate(
            """(root, least) => {
            const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
            const light = rgb => rgb.slice(0, 3).map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
            const behind = node => {
                if (!node) return [255, 255, 255];
                const [r, g, b, alpha = 1] = parts(getComputedStyle(node).backgroundColor);
                if (alpha === 1) return [r, g, b];
                return behind(node.parentElement).map((under, n) => [r, g, b][n] * alpha + under * (1 - alpha));
            };
            const bad = [];
            const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const text = walker.currentNode.textContent.trim();
                if (!text) continue;
                const node = walker.currentNode.parentElement;
                const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
                const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (contrast < least) bad.push(`${text}: ${contrast.toFixed(1)}`);
            }
            return bad;
        }""",
            least,
        )
    )
    return found
