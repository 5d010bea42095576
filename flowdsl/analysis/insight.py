"""Answers to what one asks of a log, from the attempts of one run or of many; each answer is a DataFrame."""

from __future__ import annotations

from typing import Any

import pandas as pd

from flowdsl.analysis.drift import slower_since
from flowdsl.analysis.occupancy import occupancy
from flowdsl.analysis.retries import wasted_retries
from flowdsl.analysis.spending import time_by_task
from flowdsl.analysis.waits import waits
from flowdsl.definition.counted import counted

__all__ = ["Insight"]


class Insight:
    """What can be asked of the attempts of one run or of many, `attempts`; each method returns a DataFrame.

    `Insight(frame)` asks the same of a part: ``Insight(runs.attempts[runs.attempts["flow"] == "etl"])``.
    """

    def __init__(self, attempts: pd.DataFrame) -> None:
        self.attempts = attempts

    def time_by_task(self) -> pd.DataFrame:
        """Where does time go? See `flowdsl.analysis.spending.time_by_task`."""
        return time_by_task(self.attempts)

    def slower_since(self, since: Any, *, least: int = 3) -> pd.DataFrame:
        """What got slower since that moment? See `flowdsl.analysis.drift.slower_since`."""
        return slower_since(self.attempts, since, least=least)

    def wasted_retries(self) -> pd.DataFrame:
        """Which retries were wasted? See `flowdsl.analysis.retries.wasted_retries`."""
        return wasted_retries(self.attempts)

    def occupancy(self) -> pd.DataFrame:
        """How busy were the workers? See `flowdsl.analysis.occupancy.occupancy`."""
        return occupancy(self.attempts)

    def waits(self) -> pd.DataFrame:
        """Which tasks wait for each other? See `flowdsl.analysis.waits.waits`."""
        return waits(self.attempts)

    def __repr__(self) -> str:
        runs = self.attempts["run_id"].nunique()
        asked = "time_by_task() slower_since(date) wasted_retries() occupancy() waits()"
        return f"<Insight into {counted(len(self.attempts), 'attempt')} of {counted(runs, 'run')}: {asked}>"
