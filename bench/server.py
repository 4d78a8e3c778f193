"""psql, pgbench and the server's own statistics."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

BINDIR = Path(os.environ.get("PG_CREDIT_BINDIR", ""))
TEMPLATE = "bench_template"
IDLE_TIMEOUT_SECONDS = 60

running: list[subprocess.Popen] = []


class Failure(Exception):
    """A program failed; the message says which, and what it printed."""


def environment(settings: str = "") -> dict[str, str]:
    return {**os.environ, "PGOPTIONS": settings} if settings else dict(os.environ)


def run_program(arguments: list[str], settings: str = "", with_progress: bool = False) -> str:
    """Runs a client program and returns its output, before it what it said of its progress if that is wanted; it is ended with us."""
    program = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(settings))
    running.append(program)
    try:
        output, errors = program.communicate()
    finally:
        end_program(program)
    if program.returncode != 0:
        raise Failure(f"{' '.join(arguments)}\n{output[-2000:]}\n{errors[-4000:]}")
    return errors + output if with_progress else output


def end_program(program: subprocess.Popen) -> None:
    if program.poll() is None:
        program.terminate()
        program.wait()
    if program in running:
        running.remove(program)


def psql_arguments(database: str) -> list[str]:
    return [str(BINDIR / "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", f"--dbname={database}"]


def query(database: str, sql: str, settings: str = "") -> str:
    return run_program([*psql_arguments(database), f"--command={sql}"], settings).strip()


def run_file(database: str, file: Path, variables: dict[str, int]) -> list[str]:
    """Runs an SQL file and returns the lines it printed."""
    settings = [f"--set={name}={value}" for name, value in variables.items()]
    output = run_program([*psql_arguments(database), *settings, f"--file={file}"])
    return [line for line in output.splitlines() if line]


@dataclass
class Load:
    """What pgbench reported: all transactions, and the rate and latency after the opening."""

    transactions: int
    rate: float
    latency_ms: float


def pgbench(database: str, script: Path, variables: dict[str, int], clients: int, length: list[str], settings: str = "", opening: int = 0) -> Load:
    """A measured load; `length` is -T seconds or -t transactions. The rate leaves out the first `opening` seconds."""
    arguments = [str(BINDIR / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={min(clients, 2)}"]
    arguments += [f"--define={name}={value}" for name, value in variables.items()]
    arguments += [f"--progress={opening}"] if opening else []
    output = run_program([*arguments, *length, f"--file={script}", database], settings, with_progress=bool(opening))
    failed = re.search(r"number of failed transactions: (\d+)", output)
    if failed and int(failed.group(1)) > 0:
        raise Failure(f"pgbench had failed transactions:\n{output}")
    transactions = int(find(r"number of transactions actually processed: (\d+)", output))
    rate = float(find(r"tps = ([0-9.]+)", output))
    if opening:
        rate = rate_after_opening(transactions, transactions / rate, output)
    # pgbench says the latency too, with fewer digits.
    return Load(transactions, rate, clients * 1000 / rate)


def rate_after_opening(transactions: int, seconds: float, output: str) -> float:
    """The first line of progress says when the opening ended and what its rate was."""
    opening = float(find(r"progress: ([0-9.]+) s,", output))
    done = opening * float(find(r"progress: [0-9.]+ s, ([0-9.]+) tps", output))
    return (transactions - done) / (seconds - opening)


def find(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    if found is None:
        raise Failure(f"pgbench did not say {pattern}:\n{output}")
    return found.group(1)


def major() -> int:
    return int(query("postgres", "SELECT current_setting('server_version_num')::integer / 10000"))


@dataclass
class Counters:
    """The server's statistics at one moment."""

    wal_bytes: int
    wal_full_pages: int
    flushes: int
    flush_ms: float
    processor_seconds: float | None
    updates: dict[str, int]
    updates_in_place: dict[str, int]
    table_bytes: dict[str, int]


WAL_BEFORE_18 = "SELECT wal_bytes, wal_fpi, wal_sync, wal_sync_time FROM pg_stat_wal"
WAL_FROM_18 = """SELECT w.wal_bytes, w.wal_fpi, io.flushes, io.flush_time FROM pg_stat_wal AS w,
    (SELECT sum(fsyncs) AS flushes, sum(fsync_time) AS flush_time FROM pg_stat_io WHERE object = 'wal') AS io"""
TABLES = """SELECT schemaname || '.' || relname, n_tup_upd, n_tup_hot_upd, pg_total_relation_size(relid)
    FROM pg_stat_user_tables ORDER BY 1"""


def counters(database: str, server_major: int) -> Counters:
    wal = query(database, WAL_FROM_18 if server_major >= 18 else WAL_BEFORE_18).split("|")
    tables = [line.split("|") for line in query(database, TABLES).splitlines()]
    return Counters(
        wal_bytes=int(wal[0]),
        wal_full_pages=int(wal[1]),
        flushes=int(wal[2]),
        flush_ms=float(wal[3]),
        processor_seconds=processor_seconds_of_ended_backends(),
        updates={name: int(count) for name, count, _, _ in tables},
        updates_in_place={name: int(count) for name, _, count, _ in tables},
        table_bytes={name: int(size) for name, _, _, size in tables},
    )


def processor_seconds_of_ended_backends() -> float | None:
    """What the kernel has charged the postmaster's children that have ended: the clients' backends, after their run."""
    postmaster = query("postgres", "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
    try:
        fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    user, system = int(fields[13]), int(fields[14])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def wait_until_nothing_runs() -> None:
    """Waits until the last clients have left, which is when they report their statistics, and no autovacuum is at work."""
    deadline = time.monotonic() + IDLE_TIMEOUT_SECONDS
    busy = """SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        AND (backend_type = 'autovacuum worker' OR backend_type = 'client backend' AND application_name = 'pgbench')"""
    while int(query("postgres", busy)) > 0 and time.monotonic() < deadline:
        time.sleep(0.1)
