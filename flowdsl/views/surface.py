"""What a live view paints on while its run goes on: a box of widgets, or plain HTML where there are none."""

from __future__ import annotations

from typing import Any, Callable, Iterable, List, Sequence, Tuple

from flowdsl.views.controls import Controls
from flowdsl.views.escape import clean
from flowdsl.views.palette import GREY
from flowdsl.views.screen import Screen
from flowdsl.views.static import image, least_width
from flowdsl.views.svg import size

__all__ = ["LISTED", "HtmlSurface", "WidgetSurface", "button", "close_all", "picker", "surface"]

LISTED = 200  # tasks that a menu offers; beyond that their names are typed
# What a file shows that was saved in the middle of a run, wherever widgets are not asked for first.
_SAVED = f'<div style="color:{GREY}">the run was still going on when this notebook was saved</div>'


def surface(handle: Any, controls: Controls, names: Sequence[str]) -> Any:
    """The best that there is; `handle` is the display that it fills, `names` are the tasks of the graph."""
    try:
        return WidgetSurface(handle, controls, names)
    except Exception:  # ipywidgets is missing, or is one that we do not know
        return HtmlSurface(handle)


class HtmlSurface:
    """A screen as HTML in the display itself; each paint sends all of it."""

    chosen = ""
    wants_retry = False

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._last = ""

    def show(self, screen: Screen) -> None:
        """Show this screen."""
        share = 100 * screen.done // max(1, screen.total)
        plain = f"{screen.done} of {screen.total} done"
        bar = f'<div style="color:{GREY}">{"&#9608;" * (share // 4)}{"&#9617;" * (25 - share // 4)} {plain}</div>'
        picture = image(screen.svg) if screen.svg and len(screen.svg) < 170 * 1024 else ""
        html = f"<div>{bar}{screen.headline}{picture}{screen.table}{screen.news}</div>"
        if html != self._last:
            self._handle.update({"text/html": html, "text/plain": plain}, raw=True)
            self._last = html

    def close(self) -> None:
        """Nothing is left behind."""


class WidgetSurface:
    """A screen as a box of widgets; each sends only what changed of it.

    `chosen` is the task that the reader wants to know more of, `wants_retry` whether he asked for what fails to be run
    again.
    """

    def __init__(self, handle: Any, controls: Controls, names: Sequence[str]) -> None:
        import ipywidgets

        self.chosen = ""
        self.wants_retry = False
        self._bar = ipywidgets.IntProgress(value=0, min=0, max=1, layout={"width": "240px"})
        self._count = ipywidgets.HTML()
        self._headline = ipywidgets.HTML()
        self._image = ipywidgets.Image(format="svg+xml", layout={"max_width": "100%", "height": "auto"})
        picture = ipywidgets.Box([self._image], layout={"overflow": "auto", "display": "block"})
        self._table = ipywidgets.HTML()
        self._news = ipywidgets.HTML()
        self._panel = ipywidgets.HTML()
        self._retry: Any = None
        row = ipywidgets.HBox([self._bar, self._count, *self._controls(controls, names)], layout={"flex_flow": "wrap"})
        self._box = ipywidgets.VBox([row, self._headline, picture, self._table, self._news, self._panel])
        handle.update({**self._box._repr_mimebundle_(), "text/html": _SAVED}, raw=True)

    def _controls(self, controls: Controls, names: Sequence[str]) -> List[Any]:
        found: List[Any] = []
        if controls.cancel is not None:
            found.append(button("Cancel", "stop", controls.cancel, "Cancelling"))
        if controls.retry is not None:
            self._retry = button("Retry failed", "refresh", self._ask_for_retry, "Retry at the end", width="150px")
            self._retry.layout.display = "none"
            found.append(self._retry)
        if controls.facts is not None:
            found.append(picker(names, self._choose))
        return found

    def _ask_for_retry(self) -> None:
        self.wants_retry = True

    def _choose(self, name: str) -> None:
        self.chosen = name

    def show(self, screen: Screen) -> None:
        """Send what changed since the last screen."""
        if self._bar.max != max(1, screen.total):
            self._bar.max = max(1, screen.total)
        self._bar.value = screen.done
        self._bar.bar_style = "danger" if screen.bad else "info"
        self._count.value = f"{screen.done:,} of {screen.total:,} done"
        if self._retry is not None and screen.bad and self._retry.layout.display:
            self._retry.layout.display = None
        self._headline.value = screen.headline
        self._show_picture(screen.svg)
        self._table.value, self._news.value, self._panel.value = screen.table, screen.news, screen.panel

    def _show_picture(self, svg: str) -> None:
        data = svg.encode("utf-8", "replace")
        if self._image.value == data:
            return
        if svg:
            self._image.layout.width, self._image.layout.min_width = f"{size(svg)[0]}px", f"{least_width(svg)}px"
        self._image.layout.display = "" if svg else "none"
        self._image.value = data

    def close(self) -> None:
        """Close the widgets: none is left in the notebook."""
        close_all(self._box)


def button(text: str, icon: str, act: Callable[[], Any], afterwards: str, width: str = "110px") -> Any:
    """A button that can be pressed once, and then says so."""
    import ipywidgets

    made = ipywidgets.Button(description=text, icon=icon, layout={"width": width})

    def clicked(_: Any) -> None:
        made.disabled, made.description = True, afterwards
        act()

    made.on_click(clicked)
    return made


def picker(names: Iterable[str], chosen: Callable[[str], Any]) -> Any:
    """A menu of tasks, or a field for a task's name where they are many; `chosen` is told the name, "" for none."""
    import ipywidgets

    names = list(names)
    layout = {"width": "200px"}
    if len(names) <= LISTED:
        choices: List[Tuple[str, str]] = [("look at a task\u2026", ""), *((clean(name), name) for name in names)]
        made: Any = ipywidgets.Dropdown(options=choices, value="", layout=layout)
    else:
        made = ipywidgets.Combobox(
            placeholder="name of a task", options=names[:LISTED], continuous_update=False, layout=layout
        )
    made.observe(lambda change: chosen(change["new"] or ""), "value")
    return made


def close_all(box: Any) -> None:
    """Close a widget, those inside it and what they are styled by."""
    open_: List[Any] = [box]
    while open_:
        widget = open_.pop()
        open_ += getattr(widget, "children", ())
        parts: List[Any] = [getattr(widget, "layout", None), getattr(widget, "style", None), widget]
        for part in parts:
            if part is not None:
                part.close()
