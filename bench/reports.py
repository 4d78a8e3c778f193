"""The case consumption: each report of one account and month, from the views and by grouping the ledger; and what refreshing costs."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cases
import server

if TYPE_CHECKING:
    from measure import Stage

MOST_REPETITIONS = 3
READS_OF_VIEW = 20
READS_OF_LEDGER = 2
# New lines of the ledger, and how many postings credit_maintain() adds up in one transaction.
NEW_LINES = (10_000, 100_000, 1_000_000)
BATCH = 10_000

# What a team writes that has nothing but the ledger. Every debit of this case has one line, so that lines are requests.
LEDGER = """SELECT {by}, - sum(e.amount) AS credits, sum(e.quantity) AS quantity, count(*) AS requests, trim_scale(- sum(e.amount * l.cost_basis)) AS value
FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
WHERE e.account = '{account}' AND e.kind = 'debit' AND e.occurred_at >= '{month}' AND e.occurred_at < '{next_month}' GROUP BY 1"""
LEDGER_OF_MEMBERS = """SELECT e.member, sum(e.amount) FILTER (WHERE e.kind <> 'debit' AND l.member IS NOT NULL) AS funded,
    - sum(e.amount) FILTER (WHERE e.kind = 'debit') AS used, - sum(e.amount) FILTER (WHERE e.kind = 'debit' AND l.member IS NULL) AS used_of_pool
FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
WHERE e.account = '{account}' AND e.member IS NOT NULL AND e.occurred_at >= '{month}' AND e.occurred_at < '{next_month}' GROUP BY 1"""
LEDGER_OF_DEPARTMENTS = """SELECT e.department, - sum(e.amount) FILTER (WHERE e.kind = 'debit') AS used,
    trim_scale(- sum(e.amount * l.cost_basis) FILTER (WHERE e.kind = 'debit')) AS value
FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
WHERE e.account = '{account}' AND e.occurred_at >= '{month}' AND e.occurred_at < '{next_month}' GROUP BY 1"""


@dataclass(frozen=True)
class Report:
    name: str
    view: str
    ledger: str
    # The columns that both have, for the proof that they say the same.
    shared: str


def view(name: str, by: str, grouped: str = "", where: str = "") -> Report:
    columns = f"{by}, credits, quantity, requests, value"
    sql = f"SELECT {columns} FROM credit.{name} WHERE account = '{{account}}' AND month = '{{month}}'{where}"
    return Report(name, sql, LEDGER.replace("{by}", f"{grouped or 'e.' + by} AS {by}"), columns)


REPORTS = (
    view("consumption_by_member", "member"),
    view("consumption_by_department", "department"),
    view("consumption_within_department", "department", "split_part(e.department, '/', 1)", " AND depth = 1"),
    view("consumption_by_operation", "operation"),
    view("consumption_daily", "day", "(e.occurred_at AT TIME ZONE 'UTC')::date"),
    view("consumption_monthly", "month", "date_trunc('month', e.occurred_at AT TIME ZONE 'UTC')::date"),
    Report(
        "heavy_and_light_users",
        "SELECT member, funded, used, used_of_pool FROM credit.heavy_and_light_users WHERE account = '{account}' AND month = '{month}'",
        LEDGER_OF_MEMBERS,
        "member, COALESCE(funded, 0), COALESCE(used, 0), COALESCE(used_of_pool, 0)",
    ),
    Report(
        "credit_chargeback",
        "SELECT department, funded, used, value FROM credit_chargeback('{account}', '{month}', '{next_month}')",
        LEDGER_OF_DEPARTMENTS,
        "department, used, value",
    ),
)


def measure(stage: Stage, results: dict) -> None:
    database = stage.database(stage.contestants[0])
    server.query(database, f"ALTER DATABASE {database} SET timezone = 'UTC'")
    entries = int(server.query(database, "SELECT count(*) FROM credit.entry"))
    seconds = roll_up(database)
    results["notes"].append(f"adding up {entries:,} lines for the first time: {seconds:.0f} s, {seconds / entries * 1e6:.1f} us each")
    server.query(database, "VACUUM ANALYZE")
    for size, account in (("large", cases.FIRST_ACCOUNT), ("small", cases.FIRST_ACCOUNT + 1)):
        words = words_of(database, account)
        results["problems"] += [f"{report.name} of the {size} account differs from the ledger" for report in REPORTS if differs(database, report, words)]
        for report in REPORTS:
            measure_report(database, report, size, words, results)
    measure_refreshing(stage, results)


def words_of(database: str, account: int) -> dict[str, str]:
    """The month in the middle of the ledger."""
    month, next_month, lines = server.query(
        database,
        f"""SELECT month::date, (month + interval '1 month')::date, (SELECT count(*) FROM credit.entry WHERE account = 'acme-{account}')
            FROM (SELECT date_trunc('month', now()) - interval '6 months' AS month) AS m""",
    ).split("|")
    return {"account": f"acme-{account}", "month": month, "next_month": next_month, "lines": lines}


def differs(database: str, report: Report, words: dict[str, str]) -> bool:
    ours, theirs = (f"SELECT {report.shared} FROM ({sql.format(**words)}) AS r" for sql in (report.view, report.ledger))
    return server.query(database, f"SELECT count(*) FROM (({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours})) AS d") != "0"


def measure_report(database: str, report: Report, size: str, words: dict[str, str], results: dict) -> None:
    shown = {}
    for repetition in range(min(cases.REPETITIONS, MOST_REPETITIONS)):
        for contestant, sql, reads in (("views", report.view, READS_OF_VIEW), ("ledger", report.ledger, READS_OF_LEDGER)):
            shown[contestant] = latency(database, sql.format(**words), reads)
            run = {"contestant": contestant, "repetition": repetition, "report": report.name, "account": size, "lines": int(words["lines"])}
            results["runs"].append({**run, "latency_ms": shown[contestant]})
    print(f"    {size} account, {report.name}: {shown['views']:.2f} ms, from the ledger {shown['ledger']:,.1f} ms", flush=True)


def latency(database: str, sql: str, reads: int) -> float:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "report.pgbench"
        script.write_text(sql.replace("\n", " ") + ";\n")
        return server.pgbench(database, script, {}, 1, [f"--transactions={reads}"]).latency_ms


def measure_refreshing(stage: Stage, results: dict) -> None:
    """New lines, a report that finds them in the ledger, and adding them up."""
    database = stage.database(stage.contestants[0])
    words = words_of(database, cases.FIRST_ACCOUNT)
    words = {**words, "month": server.query(database, "SELECT max(month) FROM credit.rollup")}
    first = cases.HISTORY_ENTRIES
    for number in NEW_LINES:
        write_debits(stage, first, number)
        first += number
        before = latency(database, REPORTS[0].view.format(**words), READS_OF_LEDGER)
        seconds = roll_up(database)
        after = latency(database, REPORTS[0].view.format(**words), READS_OF_VIEW)
        run = {"contestant": "refreshing", "repetition": 0, "lines": number, "seconds": seconds, "before_ms": before, "after_ms": after}
        results["runs"].append(run)
        print(f"    {number:,} new lines: added up in {seconds:.2f} s, {seconds / number * 1e6:.1f} us each", flush=True)


def write_debits(stage: Stage, first: int, number: int) -> None:
    database = stage.database(stage.contestants[0])
    server.query(
        database,
        f"""SELECT write_debits({first}, {number}, date_trunc('month', now()) - interval '11 months', {cases.HISTORY_ENTRIES},
            {cases.FIRST_ACCOUNT}, {stage.case.accounts}, {stage.case.members})""",
    )
    stage.debits[database] += number


def roll_up(database: str) -> float:
    """The seconds until every line is added up, in transactions as small as those of credit_maintain()."""
    last = server.query(database, "SELECT max(posting) FROM credit.entry")
    begun = time.monotonic()
    loop = f"""DO $$ BEGIN
        WHILE COALESCE((SELECT rolled_to FROM credit.rollup_watermark), 0) < {last} LOOP PERFORM credit_rollup({BATCH}); COMMIT; END LOOP;
    END $$"""
    server.query(database, loop)
    return time.monotonic() - begun
