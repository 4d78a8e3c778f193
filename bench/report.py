"""Turns the measurements into tables (terminal, Markdown, CSV) and a plot.

    report.py tables RESULTS DIRECTORY     prints the tables, writes latest.md and latest.csv
    report.py plot RESULTS DIRECTORY       writes latest.svg, before the tables that show it; needs matplotlib
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import median

import cases
from cases import Case, Comparison

DASH = "–"
COLOURS = {"pg_credit": "#1b6ca8", "wallet": "#c8553d", "row_lock": "#d9a441", "insert_only": "#9a9a9a"}


def say(text: str = "") -> None:
    print(text, flush=True)


def of_contestant(result: dict, title: str) -> list[dict]:
    return sorted((run for run in result["runs"] if run["contestant"] == title), key=lambda run: run["repetition"])


def middle(runs: list[dict], name: str) -> float | None:
    values = [run[name] for run in runs if run.get(name) is not None]
    return median(values) if values else None


def ratio(result: dict, comparison: Comparison) -> float | None:
    """The median of the ratios within each repetition: what disturbs a repetition disturbs both sides of it."""
    subject = {run["repetition"]: run for run in of_contestant(result, comparison.subject)}
    other = {run["repetition"]: run for run in of_contestant(result, comparison.against)}
    name = "latency_ms" if comparison.measure == "latency" else "rate"
    ratios = [subject[turn][name] / other[turn][name] for turn in subject if turn in other and other[turn][name]]
    return median(ratios) if ratios else None


def verdict(value: float | None, comparison: Comparison) -> tuple[str, str]:
    """The target in words, and whether it is met."""
    if comparison.at_least is not None:
        return f"at least {comparison.at_least:g}", yes_or_no(value is not None and value >= comparison.at_least)
    if comparison.at_most is not None:
        return f"at most {comparison.at_most:g}", yes_or_no(value is not None and value <= comparison.at_most)
    return "", ""


def yes_or_no(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def shown(value: float | None, pattern: str) -> str:
    return DASH if value is None else format(value, pattern)


def spread(runs: list[dict], name: str, pattern: str) -> str:
    values = [run[name] for run in runs]
    if len(values) < 2:
        return format(values[0], pattern)
    return f"{median(values):{pattern}} ({min(values):{pattern}}{DASH}{max(values):{pattern}})"


class Table:
    """Rows under a heading, aligned for the terminal and for Markdown alike."""

    def __init__(self, *heading: str, left: int = 2) -> None:
        self.rows = [list(heading)]
        self.left = left

    def add(self, *row: str) -> None:
        self.rows.append(list(row))

    def lines(self) -> list[str]:
        widths = [max(len(row[column]) for row in self.rows) for column in range(len(self.rows[0]))]
        lines = ["| " + " | ".join(self.cell(row[i], i, widths[i]) for i in range(len(widths))) + " |" for row in self.rows]
        rule = ["-" * width if i < self.left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
        return [lines[0], "| " + " | ".join(rule) + " |", *lines[1:]]

    def cell(self, text: str, column: int, width: int) -> str:
        return text.ljust(width) if column < self.left else text.rjust(width)

    def is_empty(self) -> bool:
        return len(self.rows) == 1


def measured(results: dict, *kinds: str) -> list[tuple[Case, dict]]:
    known = {case.name: case for case in cases.all_cases()}
    found = [(known[result["case"]], result) for result in results["cases"] if result["case"] in known]
    return [(case, result) for case, result in found if case.kind in kinds and result["runs"]]


def target_table(results: dict) -> Table:
    """Every target of the project, and what came out."""
    table = Table("case", "what", "target", "measured", "", left=2)
    for case, result in measured(results, "throughput", "midnight"):
        for comparison in case.comparisons:
            value = ratio(result, comparison)
            target, outcome = verdict(value, comparison)
            if target and value is not None:
                subject = comparison.subject if comparison.subject != cases.SUBJECT else "pg_credit"
                table.add(case.name, f"{comparison.measure}: {subject} / {comparison.against}", target, f"{value:.2f}", outcome)
    for case, result in measured(results, "balance"):
        value = middle(result["runs"], "microseconds")
        target = case.target_microseconds
        table.add(case.name, "time of a read in the server", f"under {target:g} us", f"{value:.1f} us", yes_or_no(value < target))
    for case, result in measured(results, "reports"):
        large = {report: figures for (report, account), figures in report_figures(result).items() if account == "large"}
        slowest = max(large, key=lambda report: large[report][0])
        least = min(large, key=lambda report: large[report][2])
        shown_slowest, shown_least = f"{large[slowest][0]:.1f} ms", f"{large[least][2]:.0f}"
        table.add(case.name, f"slowest report: {slowest}", f"under {case.target_milliseconds:g} ms", shown_slowest, yes_or_no(large[slowest][0] < case.target_milliseconds))
        table.add(case.name, f"least ratio: {least} / the ledger", f"at least {case.target_times:g}", shown_least, yes_or_no(large[least][2] >= case.target_times))
    return table


def report_figures(result: dict) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Of each report and account: milliseconds from the view, milliseconds from the ledger, and the ratio of the two."""
    runs = [run for run in result["runs"] if "report" in run]
    found = {}
    for key in dict.fromkeys((run["report"], run["account"]) for run in runs):
        of_key = {"runs": [run for run in runs if (run["report"], run["account"]) == key]}
        views, ledger = of_contestant(of_key, "views"), of_contestant(of_key, "ledger")
        ratios = [slow["latency_ms"] / fast["latency_ms"] for fast, slow in zip(views, ledger, strict=True)]
        found[key] = (middle(views, "latency_ms"), middle(ledger, "latency_ms"), median(ratios))
    return found


def throughput_table(results: dict) -> Table:
    table = Table(
        "case", "ledger", "debits/s (least–most)", "pg_credit is", "latency ms", "server CPU us/debit", "commits per flush", "flush ms", "in place (HOT)", "WAL bytes/debit"
    )
    for case, result in measured(results, "throughput"):
        for one in case.contestants:
            runs = of_contestant(result, one.title)
            if not runs:
                continue
            table.add(
                case.name,
                one.title,
                spread(runs, "rate", ",.0f"),
                ratio_to(case, result, one.title),
                f"{middle(runs, 'latency_ms'):.3f}",
                shown(middle(runs, "processor_us"), ".1f"),
                shown(middle(runs, "commits_per_flush"), ".2f"),
                shown(middle(runs, "flush_ms"), ".2f"),
                shown(middle(runs, "hot_share"), ".1%"),
                shown(middle(runs, "wal_bytes"), ",.0f"),
            )
    return table


def ratio_to(case: Case, result: dict, title: str) -> str:
    for comparison in case.comparisons:
        if comparison.against == title:
            value = ratio(result, comparison)
            unit = "of its latency" if comparison.measure == "latency" else "times as fast"
            return DASH if value is None else f"{value:.2f} {unit}"
    return ""


def bytes_table(results: dict) -> Table:
    table = Table("case", "ledger", "WAL bytes/debit", "disk bytes/debit", "in place (HOT)")
    for case, result in measured(results, "counted"):
        for run in result["runs"]:
            hot = shown(run["hot_share"], ".2%")
            table.add(case.name, run["contestant"], f"{run['wal_bytes']:,.0f}", f"{run['disk_bytes']:,.0f}", hot)
    return table


def bloat_table(results: dict) -> Table:
    heading = ("case", "ledger", "debits/s at first", "at last", "after release and VACUUM", "hot table before", "after", "in place (HOT)")
    table = Table(*heading)
    for case, result in measured(results, "bloat"):
        for run in result["runs"]:
            table.add(
                case.name,
                run["contestant"],
                f"{run['first_rate']:,.0f}",
                f"{run['last_rate']:,.0f}",
                f"{run['rate_after_release']:,.0f}",
                f"{run['table_bytes_before'] / 2**20:.1f} MB",
                f"{run['table_bytes_after'] / 2**20:.1f} MB",
                shown(run["hot_share"], ".1%"),
            )
    return table


def bloat_course(results: dict) -> list[str]:
    """How the rate went, interval by interval."""
    lines = []
    for case, result in measured(results, "bloat"):
        for run in result["runs"]:
            rates = " ".join(f"{rate:,.0f}" for rate in run["rates"])
            lines.append(f"{case.name}: {run['contestant']}, debits/s every {run['interval_seconds']} s: {rates}")
    return lines


def midnight_table(results: dict) -> Table:
    table = Table("case", "what", "median ms (least–most)", "99th percentile ms", "debits")
    for case, result in measured(results, "midnight"):
        for one in case.contestants:
            runs = of_contestant(result, one.title)
            table.add(case.name, one.title, spread(runs, "latency_ms", ".3f"), f"{middle(runs, 'latency_99_ms'):.3f}", f"{sum(run['debits'] for run in runs):,}")
    return table


def reports_table(results: dict) -> Table:
    table = Table("report", "account", "lines of the account", "ms", "ms from the ledger", "times as fast")
    for _, result in measured(results, "reports"):
        lines = {run["account"]: run["lines"] for run in result["runs"] if "report" in run}
        for (report, account), (fast, slow, times) in report_figures(result).items():
            table.add(report, account, f"{lines[account]:,}", f"{fast:.2f}", f"{slow:,.1f}", f"{times:,.0f}")
    return table


def refreshing_table(results: dict) -> Table:
    table = Table("new lines", "seconds to add them up", "us per line", "ms of a report before", "ms after", left=0)
    for _, result in measured(results, "reports"):
        for run in of_contestant(result, "refreshing"):
            each = run["seconds"] / run["lines"] * 1e6
            table.add(f"{run['lines']:,}", f"{run['seconds']:.2f}", f"{each:.1f}", f"{run['before_ms']:.1f}", f"{run['after_ms']:.1f}")
    return table


def balance_table(results: dict) -> Table:
    table = Table("case", "what", "microseconds (least–most)", left=2)
    for case, result in measured(results, "balance"):
        table.add(case.name, case.title, spread(result["runs"], "microseconds", ".1f"))
    return table


def notes(results: dict) -> list[str]:
    lines = []
    for result in results["cases"]:
        lines += [f"{result['case']}: {note}" for note in result["notes"]]
        lines += [f"{result['case']}: WRONG: {problem}" for problem in result["problems"]]
    lines += bloat_course(results)
    ran = {result["case"] for result in results["cases"]}
    missing = [case for case in cases.all_cases() if case.name not in ran]
    lines += [f"not run: {case.name} ({case.title}){'; it is long, BENCH_CASES names it' if case.long else ''}" for case in missing]
    if not any(result["problems"] for result in results["cases"]):
        lines.append("After every case the books were proved: credit_verify() is empty, and the ledger holds exactly the debits pgbench made.")
    return lines


def conditions(results: dict) -> list[str]:
    about = results["about"]
    settings = ", ".join(f"{name} {value}" for name, value in about["settings"].items())
    slow = any(case.slow for case, _ in measured(results, "throughput"))
    lines = [
        f"{about['begun']}; pg_credit {about['extension']} {about['revision']}; PostgreSQL {about['postgres']}",
        f"machine: {about['machine']}; clients and server share it; {about['busy_at_start']} busy before anything was measured",
        f"settings: {settings}",
        f"{about['repetitions']} repetitions of {about['seconds']} s, each after {about['opening_seconds']} s that does not count, interleaved; a ratio is the median of the ratios within each repetition",
    ]
    if slow:
        flush = about["flush_microseconds"] / 1000
        lines.append(f"cases slow-*: every fsync and fdatasync of the server is made to take at least {flush:g} ms (bench/slow_flush.c, preloaded)")
    return lines


def legend(results: dict) -> list[str]:
    return [f"{case.name}: {case.title}" for case, _ in measured(results, "throughput", "counted", "midnight", "reports", "balance", "bloat")]


def sections(results: dict) -> list[tuple[str, Table]]:
    tables = [
        ("Targets", target_table(results)),
        ("Debits", throughput_table(results)),
        ("Bytes", bytes_table(results)),
        ("Everything due at one midnight", midnight_table(results)),
        ("Reports of an account and month", reports_table(results)),
        ("Refreshing them", refreshing_table(results)),
        ("Reading a balance, and checking a debit", balance_table(results)),
        ("Bloat", bloat_table(results)),
    ]
    return [(title, table) for title, table in tables if not table.is_empty()]


def markdown(results: dict, has_plot: bool) -> str:
    lines = ["# The newest benchmark run", "", "Made by `make bench`; bench/README.md says what each case is and how to read the tables.", ""]
    lines += [f"- {line}" for line in conditions(results)]
    if has_plot:
        lines += ["", "![debits per second](latest.svg)"]
    for title, table in sections(results):
        lines += ["", f"## {title}", "", *table.lines()]
    lines += ["", "## Cases", "", *[f"- {line}" for line in legend(results)]]
    lines += ["", "## Notes", "", *[f"- {line}" for line in notes(results)], ""]
    return "\n".join(lines)


def write_csv(results: dict, file: Path) -> None:
    """Every run, not only the medians."""
    rows = [{"case": result["case"], **run} for result in results["cases"] for run in result["runs"]]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "rates"))
    with file.open("w", newline="") as output:
        writer = csv.DictWriter(output, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: short(value) for name, value in row.items()} for row in rows)


def short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def print_tables(results: dict) -> None:
    for title, table in sections(results):
        say(f"\n{title}")
        for line in table.lines():
            say(f"  {line}")
    say("\nNotes")
    for line in notes(results):
        say(f"  {line}")


def plot(results: dict, file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    # The same run gives the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pg_credit"
    import matplotlib.pyplot as pyplot

    shown_cases = [(case, result) for case, result in measured(results, "throughput") if plain(case)]
    if not shown_cases:
        return
    names = list(dict.fromkeys(one.title for case, _ in shown_cases for one in case.contestants))
    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.75 * len(shown_cases)), layout="constrained")
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        bars = [(row + (place - (len(names) - 1) / 2) * height, of_contestant(result, name)) for row, (_, result) in enumerate(shown_cases)]
        bars = [(where, [run["rate"] for run in runs]) for where, runs in bars if runs]
        rates = [median(values) for _, values in bars]
        below = [median(values) - min(values) for _, values in bars]
        above = [max(values) - median(values) for _, values in bars]
        axes.barh([where for where, _ in bars], rates, height, xerr=[below, above], label=name, color=COLOURS.get(name), error_kw={"linewidth": 0.8})
    axes.set_yticks(range(len(shown_cases)), [f"{case.name}\n{case.title}" for case, _ in shown_cases], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("debits per second: median, least and most of the repetitions")
    about = results["about"]
    figure.suptitle(f"pg_credit {about['extension']} {about['revision']}, PostgreSQL {about['postgres']}, {about['begun']}", fontsize=10)
    axes.grid(axis="x", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(file, metadata={"Date": None})


def plain(case: Case) -> bool:
    """Whether its contestants are the ledgers themselves."""
    return case.name not in ("batch", "history", "expired")


def main(arguments: list[str]) -> None:
    action, results_file, directory = arguments[0], Path(arguments[1]), Path(arguments[2])
    results = json.loads(results_file.read_text())
    directory.mkdir(parents=True, exist_ok=True)
    if action == "plot":
        plot(results, directory / "latest.svg")
        return
    print_tables(results)
    (directory / "latest.md").write_text(markdown(results, (directory / "latest.svg").exists()))
    write_csv(results, directory / "latest.csv")
    if any(result["problems"] for result in results["cases"]):
        sys.exit("error: the books do not hold, see the notes above")


if __name__ == "__main__":
    main(sys.argv[1:])
