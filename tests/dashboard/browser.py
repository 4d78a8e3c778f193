"""Opens the dashboard in Chromium, reads every chart as people do, and compares what it shows with tests/dashboard/figures.sql.

Figures are read from the text of the page. Charts that are drawn as pictures are read from their tooltips, with the mouse over them.
tests/dashboard/run.sh sets the environment.
"""

import csv
import math
import os
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Error, sync_playwright

URL = os.environ["DASHBOARD_URL"]
FIGURES = Path(__file__).with_name("figures.sql")
PATIENCE_SECONDS = 90
# How many points of a picture the mouse visits.
VISITS = 72

USAGE = "Who uses it? Credits per week, by department"
OPERATIONS = "What for? Credits of the month"
BALANCE = "How long does it last? Balance and forecast (credits)"
EXPIRIES = "What expires? Credits, by day of expiry"
# Of the many points of the balance the mouse meets these at least.
MET_OF_BALANCE = {"balance": 20, "forecast": 25}


def read_figures(account, month):
    """What SQL says: {chart: {(place, series): figure}}."""
    command = [os.environ["PG_CREDIT_BINDIR"] + "/psql", "--no-psqlrc", "--quiet", "--csv", "--set=ON_ERROR_STOP=1"]
    command += [f"--set=account={account}", f"--set=month={month}", f"--file={FIGURES}"]
    figures = {}
    for row in csv.DictReader(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()):
        figures.setdefault(row["chart"], {})[row["place"], row["series"]] = Decimal(row["figure"])
    return figures


def same(shown, figure):
    """Whether a text shows a figure, rounded to the decimals it has."""
    number = Decimal(shown.replace(",", "").replace("\u2212", "-"))
    return abs(number - figure) <= Decimal(5).scaleb(number.as_tuple().exponent - 1)


class Dashboard:
    """The page, and what it shows: {(place, series): text} of a chart."""

    def __init__(self, page):
        self.page = page
        self.failed_queries = []
        self.answers_of_others = []
        page.on("response", self.hear)

    def hear(self, response):
        if urlsplit(response.url).netloc not in ("", urlsplit(URL).netloc):
            self.answers_of_others.append(response.url)
        if "/api/v1/chart/data" in response.url and response.status != 200:
            self.failed_queries.append(f"{response.status} {response.url}")

    def open(self):
        self.page.goto(URL)
        self.page.fill("#username", os.environ["DASHBOARD_USER"])
        self.page.fill("#password", os.environ["DASHBOARD_PASSWORD"])
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector('[data-test="chart-grid-component"]', timeout=PATIENCE_SECONDS * 1000)

    def choose(self, label, value):
        """Chooses in one of the filters at the top."""
        control = self.page.locator('[data-test="filter-bar"] .ant-form-item, [data-test="filter-bar"] [data-test="form-item-value"]')
        control = control.filter(has=self.page.locator(f'[data-test="NATIVE_FILTER-{label}"], [aria-label="{label}"]')).first
        control.locator(".ant-select").first.click()
        self.page.locator(f'.ant-select-dropdown:visible .ant-select-item-option[title="{value}"]').click()
        self.page.keyboard.press("Escape")

    def apply(self):
        self.page.locator('[data-test="filter-bar__apply-button"]').click()

    def charts(self):
        return {
            chart.get_attribute("data-test-chart-name"): chart
            for chart in self.page.query_selector_all('[data-test="chart-grid-component"]')
        }

    def read(self, name):
        """What a chart shows now, {} while it shows nothing."""
        chart = self.charts().get(name)
        if chart is None:
            return {}
        kind = chart.get_attribute("data-test-viz-type")
        if kind == "big_number_total":
            line = chart.query_selector(".header-line")
            return {("", ""): line.inner_text().strip()} if line else {}
        if kind == "table":
            return self.read_table(chart)
        picture = chart.query_selector("canvas")
        box = picture and picture.bounding_box()
        return self.read_picture(box, kind == "pie") if box else {}

    def read_table(self, chart):
        names = [cell.inner_text().strip() for cell in chart.query_selector_all("thead th")]
        shown = {}
        for row in chart.query_selector_all("tbody tr"):
            cells = [cell.inner_text().strip() for cell in row.query_selector_all("td")]
            shown.update({(cells[0], name): text for name, text in zip(names[1:], cells[1:])})
        return shown

    def read_picture(self, box, is_round):
        shown = {}
        for visit in range(VISITS):
            if is_round:
                angle, radius = 2 * math.pi * visit / VISITS, 0.29 * min(box["width"], box["height"])
                x, y = box["width"] / 2 + radius * math.cos(angle), box["height"] / 2 + radius * math.sin(angle)
            else:
                x, y = box["width"] * (visit + 0.5) / VISITS, box["height"] / 2
            self.page.mouse.move(box["x"] + x, box["y"] + y)
            self.page.wait_for_timeout(40)
            shown.update(self.read_tooltip())
        self.page.mouse.move(0, 0)
        return shown

    def read_tooltip(self):
        """The first line says where; below it a line per series."""
        text = self.page.evaluate(
            "() => [...document.querySelectorAll('.echarts-tooltip')].filter(t => getComputedStyle(t).visibility != 'hidden'"
            " && getComputedStyle(t).display != 'none' && getComputedStyle(t).opacity > 0).map(t => t.innerText).join('\\n')"
        )
        place, *lines = text.strip().split("\n")
        cells = (line.split("\t") for line in lines)
        return {(place, series): figure for series, figure, *_ in (c for c in cells if len(c) > 1) if series != "Total"}

    def errors(self):
        boxes = self.page.query_selector_all('.ant-alert-error, [role="alert"], [data-test="error-message"], .missing-chart-container')
        texts = [f"error on the page: {box.inner_text()[:300]}" for box in boxes if box.is_visible() and box.inner_text().strip()]
        texts += [f"a query failed: {query}" for query in self.failed_queries]
        return texts + [f"another machine was asked: {url}" for url in self.answers_of_others]


def differences(name, shown, figures):
    """What is wrong about a chart, as texts."""
    wrong = [
        f"{name}: {' '.join(key)} shows {text}, SQL says {figures.get(key, 'nothing')}"
        for key, text in shown.items()
        if key not in figures or not re.search(r"\d", text) or not same(text, figures[key])
    ]
    if name == BALANCE:
        for series, least in MET_OF_BALANCE.items():
            met = sum(key[1] == series for key in shown)
            if met < least:
                wrong.append(f"{name}: {met} points of the {series}, at least {least} expected")
    else:
        # A bar of zero is not drawn, so a picture need not say it.
        silent = {key for key, figure in figures.items() if figure == 0} if name in (USAGE, EXPIRIES, OPERATIONS) else set()
        wrong += [f"{name}: {' '.join(key)} is missing, SQL says {figures[key]}" for key in figures.keys() - shown.keys() - silent]
    return wrong


def check(dashboard, account, month):
    """Compares every chart, each until it shows what it should or patience ends; counts the figures."""
    wrong, compared = [], 0
    figures = read_figures(account, month)
    deadline = time.monotonic() + PATIENCE_SECONDS
    for name, expected in figures.items():
        while True:
            shown = dashboard.read(name)
            found = differences(name, shown, expected)
            if not found or time.monotonic() > deadline:
                break
            dashboard.page.wait_for_timeout(500)
        wrong += found
        compared += len(shown)
        print(f"{account} {month}: {name}: {len(shown)} figures, {len(found)} wrong", flush=True)
    wrong += [f"chart {name} has no figures in SQL" for name in dashboard.charts().keys() - figures.keys()]
    return wrong + dashboard.errors(), compared


def main(executable, screenshot):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        page = browser.new_page(viewport={"width": 1440, "height": 1640}, locale="en-US", timezone_id="UTC")
        dashboard = Dashboard(page)
        try:
            dashboard.open()
        except Error:
            page.screenshot(path=screenshot)
            raise
        wrong, compared = check(dashboard, "acme", "2026-06")
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        page.screenshot(path=screenshot)
        if not wrong:
            dashboard.choose("account", "globex")
            dashboard.choose("month", "2026-05")
            dashboard.apply()
            more_wrong, more_compared = check(dashboard, "globex", "2026-05")
            wrong, compared = wrong + more_wrong, compared + more_compared
            page.screenshot(path=str(screenshot).replace(".png", "_globex.png"))
        browser.close()
    for text in wrong:
        print(f"error: {text}")
    print(f"dashboard: {compared} figures compared, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
