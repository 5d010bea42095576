"""Plots by matplotlib that a white and a black page both bear: no background, mid tones, marks that differ in shape."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from flowdsl.errors import RendererMissing
from flowdsl.views.escape import shorten
from flowdsl.views.palette import GREY, look

__all__ = ["STYLE", "history_plot"]

# Mid tones of the Okabe-Ito hues, each with a contrast of at least 2.9:1 on white and on black.
SERIES = ("#3b93d6", "#d5792a", "#2a9d74", "#c46aa6", "#98882b", "#8a7be0", "#7a8288")
MARKS = "osD^vPX"
# The marks of states that need a look; every other state has a dot.
STATE_MARKS: Mapping[str, Tuple[str, str]] = {
    "succeeded": ("o", "#2a9d74"),
    "failed": ("X", "#d9534f"),
    "cancelled": ("s", "#8a7be0"),
    "interrupted": ("D", "#98882b"),
    "running": ("^", "#3b93d6"),
}
STYLE: Dict[str, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": "none",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.0,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.labelcolor": GREY,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10.0,
}


def history_plot(runs: Any, tasks: Any) -> Any:
    """A Figure of two panels over time: the length of each run by its state, the duration of each task.

    `runs` has the columns `started_at state duration_s`, `tasks` the columns `started_at task duration_s`.
    """
    pyplot, cycler = _matplotlib()
    # Before the context: the first figure of a notebook makes its plots appear, and the context would take that back.
    figure = pyplot.figure(figsize=(8.0, 4.8), layout="constrained", facecolor="none")
    with pyplot.rc_context({**STYLE, "axes.prop_cycle": cycler(color=SERIES, marker=MARKS)}):
        above, below = figure.subplots(2, 1, sharex=True)
        for state, group in runs.groupby("state", observed=True, sort=False):
            mark, colour = STATE_MARKS.get(str(state), ("o", GREY))
            label = look(str(state)).word
            above.plot(group["started_at"], group["duration_s"], mark, color=colour, markersize=5, label=label)
        for name, group in tasks.groupby("task", sort=False):
            label = _plain(shorten(str(name), 30))
            below.plot(group["started_at"], group["duration_s"], markersize=3.5, linewidth=1.2, label=label)
        _finish(above, "each run, s")
        _finish(below, "each task, s")
        below.tick_params(axis="x", labelrotation=20)
        pyplot.close(figure)  # so that it is shown once: as what the cell returns
    return figure


def _finish(axes: Any, label: str) -> None:
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.05)
    if axes.lines:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _plain(text: str) -> str:
    """As it is: matplotlib takes dollars for mathematics, and leaves a label out that begins with an underscore."""
    escaped = text.replace("$", r"\$")
    return "\u200b" + escaped if escaped.startswith("_") else escaped


def _matplotlib() -> Sequence[Any]:
    try:
        from cycler import cycler
        from matplotlib import pyplot
    except ImportError as exc:
        raise RendererMissing("plots need matplotlib: pip install matplotlib") from exc
    return pyplot, cycler
