"""The case midnight: the schedules of all accounts are due at one instant, and debits go on while credit_maintain() works it off."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import cases
import server

if TYPE_CHECKING:
    from measure import Stage

MOST_REPETITIONS = 3
# Debits beside maintenance are measured in runs as short as this, until it is done.
SLICE_SECONDS = 2
UNDONE = "SELECT count(*) FROM credit.lot WHERE NOT closed AND expires_at <= credit.now()"
LAST_RUN = """SELECT string_agg(step || ' ' || handled || ' in ' || round(extract(epoch FROM finished_at - started_at), 1) || ' s', ', ' ORDER BY run)
    FROM credit.maintenance_run WHERE handled > 0 AND run > {}"""


def measure(stage: Stage, results: dict) -> None:
    """Each repetition is a midnight of its own: the clock of all sessions stands before it, and then on it."""
    stage.warm_up()
    database = stage.database(stage.contestants[0])
    for repetition in range(min(cases.REPETITIONS, MOST_REPETITIONS)):
        midnight = server.query(database, f"SELECT to_char(min(anchor) + interval '{repetition + 1} day', 'YYYY-MM-DD\"T\"HH24:MI:SSOF') FROM credit.schedule")
        before = server.query(database, f"SELECT to_char('{midnight}'::timestamptz - interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SSOF')")
        usual, beside = stage.contestants
        shown = []
        for one, latencies in ((usual, debits(stage, clock(before))), (beside, debits_beside_maintenance(stage, clock(midnight), results))):
            run = {"contestant": one.title, "repetition": repetition, "debits": len(latencies), **figures(latencies)}
            results["runs"].append(run)
            shown.append(f"{one.title} {run['latency_ms']:.3f} ms")
        print(f"    midnight {repetition + 1}, median of a debit:   " + "   ".join(shown), flush=True)


def clock(instant: str) -> str:
    return f"-c credit.clock={instant}"


def figures(latencies: list[float]) -> dict[str, float]:
    return {"latency_ms": median(latencies), "latency_99_ms": quantiles(latencies, n=100)[98]}


def debits(stage: Stage, settings: str, seconds: int | None = None) -> list[float]:
    """How long each debit of one run took, in milliseconds."""
    one = stage.contestants[0]
    with tempfile.TemporaryDirectory() as directory:
        prefix = Path(directory) / "debits"
        stage.load(one, [f"--time={seconds or cases.SECONDS}", "--log", f"--log-prefix={prefix}"], settings)
        return [int(line.split()[2]) / 1000 for file in Path(directory).iterdir() for line in file.read_text().splitlines()]


def debits_beside_maintenance(stage: Stage, settings: str, results: dict) -> list[float]:
    database = stage.database(stage.contestants[0])
    runs_before = server.query(database, "SELECT COALESCE(max(run), 0) FROM credit.maintenance_run")
    failed: list[server.Failure] = []
    maintenance = threading.Thread(target=maintain, args=(database, settings, failed))
    maintenance.start()
    latencies = []
    while maintenance.is_alive():
        latencies += debits(stage, settings, SLICE_SECONDS)
    maintenance.join()
    if failed:
        raise failed[0]
    results["notes"].append(server.query(database, LAST_RUN.format(runs_before)))
    undone = server.query(database, UNDONE, settings)
    if undone != "0":
        results["problems"].append(f"{undone} lots that expired are still open")
    return latencies


def maintain(database: str, settings: str, failed: list[server.Failure]) -> None:
    try:
        server.query(database, "CALL credit_maintain(time_limit => '1 hour')", settings)
    except server.Failure as failure:
        failed.append(failure)
