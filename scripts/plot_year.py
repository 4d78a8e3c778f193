"""Draws the year of `make demo-year`: what each lot holds along the year, stacked, one panel for each cycle.

    plot_year.py DIRECTORY PICTURE     reads total.csv and by_lot.csv of the directory; PICTURE ends in .svg or .png
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import matplotlib

matplotlib.use("agg")
# The same year gives the same file.
matplotlib.rcParams["svg.hashsalt"] = "pg_credit"
matplotlib.rcParams["font.size"] = 9

import matplotlib.dates as dates
import matplotlib.pyplot as pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Patch

BEGIN, END = datetime(2026, 1, 1), datetime(2027, 1, 1)
# The oldest and the newest lot that there can be: colours go from dark to light between them.
OLDEST, NEWEST = datetime(2025, 3, 1), datetime(2027, 1, 1)
COLOURS = matplotlib.colormaps["YlGnBu"]
INK, GREY, RED = "#1f2a33", "#6b7780", "#d1343f"
BEHIND_TEXT = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}


class Lot:
    """A lot and what it holds from an instant on."""

    def __init__(self, row: dict) -> None:
        self.effective_at, self.expires_at = instant(row["effective_at"]), instant(row["expires_at"])
        self.rolled = row["source"] == "rollover"
        self.bought = row["source"] == "purchase"
        self.steps: list[tuple[datetime, float]] = []
        self.expired: list[tuple[datetime, float]] = []

    def holds(self, at: datetime) -> float:
        return next((remaining for since, remaining in reversed(self.steps) if since <= at), 0)

    def colour(self) -> tuple:
        age = (NEWEST - self.effective_at) / (NEWEST - OLDEST)
        return COLOURS(0.16 + 0.78 * age)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("+00"))


def read(directory: Path, name: str) -> list[dict]:
    with (directory / name).open(newline="") as file:
        return list(csv.DictReader(file))


def lots_of(rows: list[dict]) -> dict[str, list[Lot]]:
    """The lots of each account, the oldest first."""
    lots: dict[str, dict[str, Lot]] = defaultdict(dict)
    for row in rows:
        lot = lots[row["account"]].setdefault(row["lot"], Lot(row))
        lot.steps.append((instant(row["at"]), float(row["remaining"])))
        if float(row["expired"]) > 0:
            lot.expired.append((instant(row["at"]), float(row["expired"])))
    return {account: sorted(found.values(), key=lambda lot: lot.effective_at) for account, found in lots.items()}


def draw_lots(axes: Axes, lots: list[Lot]) -> None:
    """The newest at the bottom: what is drawn and what expires goes from the top. Each lot is painted over the older ones."""
    instants = sorted({BEGIN, END} | {at for lot in lots for at, _ in lot.steps if BEGIN <= at <= END})
    for number, lot in enumerate(lots):
        own = [at for at in instants if lot.holds(at) > 0 and at < END]
        if own:
            gone = next(at for at in instants if at > own[-1])
            stairs(axes, lots[number:], [*own, gone], fill=True, facecolor=lot.colour(), edgecolor="white", linewidth=0.4, hatch="////" if lot.rolled else None)
    stairs(axes, lots, instants, baseline=None, color=INK, linewidth=0.9)


def stairs(axes: Axes, lots: list[Lot], instants: list[datetime], **style: object) -> None:
    """What the lots hold together from each instant to the next; where nothing changes there is no step."""
    held = [(at, sum(lot.holds(at) for lot in lots)) for at in instants[:-1]]
    steps = [step for step, before in zip(held, [(None, None), *held]) if step[1] != before[1]]
    axes.stairs([amount for _, amount in steps], dates.date2num([*(at for at, _ in steps), instants[-1]]), **style)


def draw_breakage(axes: Axes, lots: list[Lot]) -> None:
    """What expires, as a bar where the balance drops."""
    expired: dict[datetime, float] = defaultdict(float)
    for lot in lots:
        for at, amount in lot.expired:
            expired[at] += amount
    for at, amount in sorted(expired.items()):
        before = sum(lot.holds(at - timedelta(microseconds=1)) for lot in lots)
        axes.bar(dates.date2num(at), amount, bottom=before - amount, width=2.6, align="edge", color=RED, linewidth=0, zorder=3)
        style = {"ha": "right", "va": "bottom", "color": RED, "fontsize": 8, "zorder": 4, "bbox": BEHIND_TEXT}
        axes.annotate(f"−{amount:,.0f}", (dates.date2num(at), before), (2, 3), textcoords="offset points", **style)


def label_lots(axes: Axes, lots: list[Lot]) -> None:
    """A lot that lives for long says since when, in its midst."""
    for lot in lots:
        if lot.expires_at - lot.effective_at > timedelta(days=100):
            since = max(lot.effective_at, BEGIN)
            below = sum(other.holds(since) for other in lots if other.effective_at > lot.effective_at)
            text = f"{'bought' if lot.bought else 'granted'} {lot.effective_at:%b} {lot.effective_at.day}, {lot.effective_at:%Y}"
            is_dark = sum(lot.colour()[:3]) < 1.5
            axes.text(dates.date2num(since) + 3, below + lot.holds(since) / 2, text, va="center", fontsize=8, color="white" if is_dark else INK)


def draw_panel(axes: Axes, total: dict, lots: list[Lot]) -> None:
    draw_lots(axes, lots)
    draw_breakage(axes, lots)
    label_lots(axes, lots)
    axes.set_title(total["title"], loc="left", fontsize=11, fontweight="bold", color=INK, pad=18)
    axes.text(0, 1.03, total["terms"], transform=axes.transAxes, va="bottom", color=GREY)
    said = [f"used {float(total['used']):,.0f}", f"expired {float(total['expired']):,.0f}"]
    if float(total["refused"]) > 0:
        said.append(f"refused {float(total['refused']):,.0f}")
    axes.text(1, 1.03, "  ·  ".join(said), transform=axes.transAxes, ha="right", va="bottom", color=INK)
    axes.set_ylim(0, axes.dataLim.ymax * 1.06)
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(colors=GREY, length=0, labelsize=8)
    axes.grid(axis="y", color="#e3e7ea", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#9aa5ad")


def draw(directory: Path, picture: Path) -> None:
    totals = read(directory, "total.csv")
    lots = lots_of(read(directory, "by_lot.csv"))
    figure, panels = pyplot.subplots(len(totals), 1, figsize=(10, 2.35 * len(totals) + 0.6), sharex=True, layout="constrained")
    for axes, total in zip(panels, totals):
        draw_panel(axes, total, lots[total["account"]])
    last = panels[-1]
    last.set_xlim(dates.date2num(BEGIN), dates.date2num(END) + 5)
    months = [datetime(2026, month, 1) for month in range(1, 13)]
    last.set_xticks(dates.date2num(months), [f"{month:%b}" if month > BEGIN else f"{month:%b %Y}" for month in months], ha="left")
    colours = [Patch(facecolor=COLOURS(0.16 + 0.78 * age), edgecolor="white") for age in (0.9, 0.5, 0.1)]
    keys = [
        (colours[0], "an old lot"),
        (colours[1], "a younger one"),
        (colours[2], "a new one"),
        (Patch(facecolor=COLOURS(0.5), edgecolor="white", hatch="////"), "rolled over"),
        (Patch(facecolor=RED), "expired unused"),
    ]
    figure.get_layout_engine().set(w_pad=0.12)
    figure.legend(*zip(*keys), loc="outside upper left", ncols=len(keys), frameon=False, fontsize=9, labelcolor=INK)
    metadata = {"Date": None} if picture.suffix == ".svg" else None
    figure.savefig(picture, metadata=metadata, dpi=110, facecolor="white")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
