"""Measures the chosen cases on the running server and adds the results to a file.

    measure.py check                   are the chosen cases known? prints what will run
    measure.py native|slow RESULTS     measures those on the disk as it is, or those with slow flushes
    measure.py is-slow CASE            exits 0 when the case needs slow flushes
    measure.py profile CASE DIRECTORY  samples where the server's time goes in one case
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cases
import midnight
import reports
import server
from cases import Case, Contestant

WARM_UP_SECONDS = 1
# Connections are new in every run: what each reads once, and the pages that are logged whole after the checkpoint, come in here.
OPENING_SECONDS = 1
COUNTED_WARM_UP = 5_000
LONGEST_BLOAT_INTERVAL = 10
BUSY_SAMPLE_SECONDS = 2
PROFILE_LINES = 40
SHOWN_SETTINGS = """fsync synchronous_commit full_page_writes wal_level wal_sync_method commit_delay wal_compression shared_buffers
    max_wal_size checkpoint_timeout autovacuum max_connections jit default_transaction_isolation""".split()


def say(text: str) -> None:
    print(text, flush=True)


def default_case_variables(case: Case) -> dict[str, int]:
    return {
        "first_account": cases.FIRST_ACCOUNT,
        "last_account": cases.FIRST_ACCOUNT + case.accounts - 1,
        "lots": case.lots,
        "members": case.members,
        "granted": cases.GRANTED,
        **case.variables,
    }


class Stage:
    """A case with its databases made, ready to be measured."""

    def __init__(self, case: Case, server_major: int) -> None:
        self.case = case
        self.major = server_major
        self.variables = default_case_variables(case)
        self.debits: dict[str, int] = {}
        self.skipped: list[str] = []
        self.contestants = [one for one in case.contestants if self.can_take_part(one)]

    def can_take_part(self, one: Contestant) -> bool:
        if not one.needs_function:
            return True
        found = server.query(server.TEMPLATE, f"SELECT count(*) FROM pg_proc WHERE proname = '{one.needs_function}'")
        if int(found) > 0:
            return True
        self.skipped.append(f"{one.title} left out: there is no function {one.needs_function} in this version")
        return False

    def database(self, one: Contestant) -> str:
        return "bench_" + re.sub(r"\W", "_", f"{self.case.name}_{one.database or one.title}")

    def prepare(self) -> None:
        for one in self.contestants:
            database = self.database(one)
            if database in self.debits:
                continue
            server.query("postgres", f"CREATE DATABASE {database} TEMPLATE {server.TEMPLATE}")
            for file in [*sorted(one.directory.glob("schema*.sql")), one.directory / "accounts.sql"]:
                if file.exists():
                    server.run_file(database, file, self.variables)
            for name in one.preparation:
                server.run_file(database, cases.BENCH / "cases" / name, self.variables)
            server.query(database, "VACUUM ANALYZE")
            self.debits[database] = one.debits_prepared

    def load(self, one: Contestant, length: list[str], settings: str = "", opening: int = 0) -> server.Load:
        script = one.directory / f"{one.script}.pgbench"
        database = self.database(one)
        load = server.pgbench(database, script, self.variables, self.case.clients, length, settings or one.settings, opening)
        self.debits[database] += load.transactions * self.case.debits_per_transaction * one.debits
        return load

    def warm_up(self) -> None:
        """The first run fills caches, and splits a hot lot: it is not measured."""
        for one in self.contestants:
            self.load(one, [f"--time={min(WARM_UP_SECONDS, cases.SECONDS)}"])

    def measure(self, one: Contestant, length: list[str], checkpoint: bool = True, opening: int = 0) -> dict:
        """One run between two looks at the server's statistics, which include the opening."""
        database = self.database(one)
        server.wait_until_nothing_runs()
        if checkpoint:
            server.query("postgres", "CHECKPOINT")
        before = server.counters(database, self.major)
        load = self.load(one, length, opening=opening)
        server.wait_until_nothing_runs()
        after = server.counters(database, self.major)
        return describe(load, before, after, self.case.debits_per_transaction)

    def check_books(self) -> list[str]:
        """What the contestants' own proofs find; the debits in the ledger must be those that pgbench made."""
        found = []
        for one in {self.database(one): one for one in self.contestants}.values():
            file = one.directory / "verify.sql"
            database = self.database(one)
            if file.exists():
                variables = {**self.variables, "debits": self.debits[database]}
                found += [f"{one.title}: {line}" for line in server.run_file(database, file, variables)]
        return found

    def drop(self) -> None:
        for database in self.debits:
            server.query("postgres", f"DROP DATABASE {database} WITH (FORCE)")


def describe(load: server.Load, before: server.Counters, after: server.Counters, debits_per_transaction: int) -> dict:
    debits = load.transactions * debits_per_transaction
    flushes = after.flushes - before.flushes
    updates = {name: count - before.updates.get(name, 0) for name, count in after.updates.items()}
    hottest = max(updates, key=updates.__getitem__, default="")
    in_place = after.updates_in_place.get(hottest, 0) - before.updates_in_place.get(hottest, 0)
    grown = {name: size - before.table_bytes.get(name, 0) for name, size in after.table_bytes.items()}
    return {
        "debits": debits,
        "rate": load.rate * debits_per_transaction,
        "latency_ms": load.latency_ms,
        "commits_per_flush": load.transactions / flushes if flushes else None,
        "flush_ms": (after.flush_ms - before.flush_ms) / flushes if flushes else None,
        "processor_us": processor_us(before, after, debits),
        "updated_table": hottest if updates.get(hottest) else None,
        "hot_share": in_place / updates[hottest] if updates.get(hottest) else None,
        "wal_bytes": (after.wal_bytes - before.wal_bytes) / debits if debits else None,
        "wal_full_pages": after.wal_full_pages - before.wal_full_pages,
        "disk_bytes": sum(grown.values()) / debits if debits else None,
    }


def processor_us(before: server.Counters, after: server.Counters, debits: int) -> float | None:
    if before.processor_seconds is None or after.processor_seconds is None or not debits:
        return None
    return (after.processor_seconds - before.processor_seconds) * 1_000_000 / debits


def measure_throughput(stage: Stage, results: dict) -> None:
    """Interleaved: every repetition measures everybody, each time beginning with another."""
    stage.warm_up()
    for repetition in range(cases.REPETITIONS):
        turn = repetition % len(stage.contestants)
        for one in stage.contestants[turn:] + stage.contestants[:turn]:
            run = stage.measure(one, [f"--time={OPENING_SECONDS + cases.SECONDS}"], opening=OPENING_SECONDS)
            results["runs"].append({"contestant": one.title, "repetition": repetition, **run})
        shown = {run["contestant"]: run["rate"] for run in results["runs"] if run["repetition"] == repetition}
        figures = "   ".join(f"{one.title} {shown[one.title]:,.0f}" for one in stage.contestants)
        say(f"    repetition {repetition + 1} of {cases.REPETITIONS}, debits/s:   {figures}")


def measure_counted(stage: Stage, results: dict) -> None:
    """A fixed number of debits with no checkpoint between, so that the bytes are those of the debits alone."""
    for one in stage.contestants:
        stage.load(one, [f"--transactions={COUNTED_WARM_UP}"])
        run = stage.measure(one, [f"--transactions={cases.COUNTED_DEBITS}"], checkpoint=False)
        results["runs"].append({"contestant": one.title, "repetition": 0, **run})
        say(f"    {one.title}: {run['wal_bytes']:.0f} bytes of WAL and {run['disk_bytes']:.0f} bytes of disk per debit")


def measure_balance(stage: Stage, results: dict) -> None:
    """The account is made hot first: what is read, or checked, is a first lot in many slots."""
    stage.warm_up()
    database = stage.database(stage.contestants[0])
    file = cases.BENCH / "cases" / f"{stage.case.name}.sql"
    for repetition in range(cases.REPETITIONS):
        microseconds = float(server.run_file(database, file, stage.variables)[-1])
        results["runs"].append({"contestant": stage.contestants[0].title, "repetition": repetition, "microseconds": microseconds})
    slots = server.query(database, "SELECT count(*) FROM credit.slot")
    results["notes"].append(f"the 10 open lots lie in {slots} slots")
    say("    microseconds: " + "   ".join(f"{run['microseconds']:.1f}" for run in results["runs"]))


def measure_bloat(stage: Stage, results: dict) -> None:
    """A transaction with a snapshot stays open while the pool is hot."""
    # Short runs one after another instead of one long one: each gives a rate.
    interval = max(1, min(LONGEST_BLOAT_INTERVAL, cases.BLOAT_SECONDS // 10))
    for one in stage.contestants:
        database = stage.database(one)
        stage.load(one, [f"--time={min(WARM_UP_SECONDS, interval)}"])
        server.wait_until_nothing_runs()
        server.query("postgres", "CHECKPOINT")
        holder = hold_snapshot(database)
        try:
            before = server.counters(database, stage.major)
            rates = []
            for done in range(0, cases.BLOAT_SECONDS, interval):
                rates.append(stage.load(one, [f"--time={interval}"]).rate)
                if done % 60 == 0:
                    say(f"    {one.title}: after {done + interval} s {rates[-1]:,.0f} debits/s")
            server.wait_until_nothing_runs()
            after = server.counters(database, stage.major)
        finally:
            release_snapshot(holder)
        run = bloat_run(rates, interval, before, after)
        run["rate_after_release"] = rate_after_release(stage, one, interval)
        results["runs"].append({"contestant": one.title, "repetition": 0, **run})
        say(f"    {one.title}: {run['first_rate']:,.0f} debits/s at first, {run['last_rate']:,.0f} at last, {run['rate_after_release']:,.0f} after release")


def bloat_run(rates: list[float], interval: int, before: server.Counters, after: server.Counters) -> dict:
    """The first and the last minute, or the first and the last interval of a run shorter than two."""
    minute = 60 // interval if len(rates) * interval >= 120 else 1
    first, last = rates[:minute], rates[-minute:]
    hottest = max(after.updates, key=lambda name: after.updates[name] - before.updates.get(name, 0))
    updates = after.updates[hottest] - before.updates.get(hottest, 0)
    in_place = after.updates_in_place[hottest] - before.updates_in_place.get(hottest, 0)
    return {
        "rates": rates,
        "interval_seconds": interval,
        "first_rate": sum(first) / len(first),
        "last_rate": sum(last) / len(last),
        "updated_table": hottest,
        "hot_share": in_place / updates if updates else None,
        "table_bytes_before": before.table_bytes[hottest],
        "table_bytes_after": after.table_bytes[hottest],
    }


def rate_after_release(stage: Stage, one: Contestant, interval: int) -> float:
    """How fast it is again once the old snapshot is gone and the table has been vacuumed."""
    server.query(stage.database(one), "VACUUM")
    return stage.load(one, [f"--time={interval}"]).rate


def hold_snapshot(database: str) -> subprocess.Popen:
    holder = subprocess.Popen(server.psql_arguments(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    server.running.append(holder)
    holder.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM pg_class;\n")
    holder.stdin.flush()
    holder.stdout.readline()
    return holder


def release_snapshot(holder: subprocess.Popen) -> None:
    holder.stdin.close()
    holder.wait()
    server.end_program(holder)


MEASURES = {
    "throughput": measure_throughput,
    "counted": measure_counted,
    "balance": measure_balance,
    "bloat": measure_bloat,
    "midnight": midnight.measure,
    "reports": reports.measure,
}


def measure_case(case: Case, server_major: int) -> dict:
    say(f"  {case.name}: {case.title}")
    begun = time.monotonic()
    stage = Stage(case, server_major)
    results = {"case": case.name, "runs": [], "notes": list(stage.skipped), "problems": []}
    for note in stage.skipped:
        say(f"    {note}")
    stage.prepare()
    MEASURES[case.kind](stage, results)
    results["problems"] += stage.check_books()
    stage.drop()
    for problem in results["problems"]:
        say(f"    WRONG: {problem}")
    books = "the books hold" if not results["problems"] else f"{len(results['problems'])} problems"
    say(f"    {books}; {time.monotonic() - begun:.0f} s")
    return results


def make_template() -> None:
    if server.query("postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{server.TEMPLATE}'") == "0":
        server.query("postgres", f"CREATE DATABASE {server.TEMPLATE}")
        server.query(server.TEMPLATE, "CREATE EXTENSION pg_credit")


def processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def busy_share() -> str:
    """How busy the machine is while only an idle server of ours runs: what else runs disturbs the figures."""
    try:
        first, second = (processor_times(delay) for delay in (0, BUSY_SAMPLE_SECONDS))
    except (OSError, ValueError):
        return "unknown"
    total = sum(second) - sum(first)
    idle = second[3] + second[4] - first[3] - first[4]
    return f"{100 * (1 - idle / total):.0f}%"


def processor_times(delay: float) -> list[int]:
    time.sleep(delay)
    return [int(ticks) for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"


def describe_machine() -> dict:
    settings = {name: server.query("postgres", f"SHOW {name}") for name in SHOWN_SETTINGS}
    return {
        "machine": f"{os.cpu_count()} x {processor()}, {memory()}, {platform.system()} {platform.release()}",
        "busy_at_start": busy_share(),
        "postgres": server.query("postgres", "SHOW server_version"),
        "extension": server.query(server.TEMPLATE, "SELECT extversion FROM pg_extension WHERE extname = 'pg_credit'"),
        "revision": os.environ.get("PG_CREDIT_REVISION", ""),
        "settings": settings,
        "seconds": cases.SECONDS,
        "opening_seconds": OPENING_SECONDS,
        "repetitions": cases.REPETITIONS,
        "flush_microseconds": cases.FLUSH_MICROSECONDS,
        "begun": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def show_machine(about: dict) -> None:
    say(f"  machine      {about['machine']}")
    say(f"  busy         {about['busy_at_start']} of the processors before anything was measured (others' work disturbs the figures)")
    say(f"  PostgreSQL   {about['postgres']}, pg_credit {about['extension']} {about['revision']}")
    say("  settings     " + ", ".join(f"{name} {value}" for name, value in about["settings"].items()))


def measure_disk(disk: str, results_file: Path) -> None:
    server_major = server.major()
    make_template()
    results = json.loads(results_file.read_text()) if results_file.exists() else {"about": describe_machine(), "cases": []}
    if disk == "native":
        show_machine(results["about"])
    chosen, _ = cases.chosen_cases()
    for case in chosen:
        if case.slow == (disk == "slow"):
            results["cases"].append(measure_case(case, server_major))
            results_file.write_text(json.dumps(results, indent=1))
    results_file.write_text(json.dumps(results, indent=1))


def known_case(name: str) -> Case:
    for case in cases.all_cases():
        if case.name == name:
            return case
    raise SystemExit(f"no such case: {name}; there are: {' '.join(case.name for case in cases.all_cases())}")


def profile(case: Case, output: Path) -> None:
    """Samples the processor in the backends of the case's first contestant."""
    make_template()
    stage = Stage(case, server.major())
    one = stage.contestants[0]
    stage.contestants = [one]
    stage.prepare()
    stage.warm_up()
    sampling = threading.Thread(target=sample_backends, args=(stage.database(one), output / "perf.data"))
    sampling.start()
    load = stage.load(one, [f"--time={cases.SECONDS + 2}"])
    sampling.join()
    say(f"  {one.title}: {load.rate * case.debits_per_transaction:,.0f} debits/s")
    for name, sort in (("libraries", "dso"), ("functions", "symbol,dso")):
        arguments = ["perf", "report", f"--input={output / 'perf.data'}", "--stdio", "--no-children", "--call-graph=none", f"--sort={sort}"]
        lines = [line for line in server.run_program(arguments).splitlines() if line and not line.startswith("#")]
        (output / f"{name}.txt").write_text("\n".join(lines) + "\n")
        say(f"\n  where the time goes, by {name}")
        say("\n".join(lines[:PROFILE_LINES]))


def sample_backends(database: str, file: Path) -> None:
    time.sleep(1)
    pids = server.query("postgres", f"SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE datname = '{database}'")
    arguments = ["perf", "record", "--event=cpu-clock", "--freq=1999", "-g", f"--output={file}", f"--pid={pids}"]
    server.run_program([*arguments, "--", "sleep", str(cases.SECONDS)])


def check() -> None:
    """Prints on which disks something is to be measured, for run.sh."""
    chosen, left_out = cases.chosen_cases()
    for case in left_out:
        say(f"not run: {case.name} ({case.title})")
    for disk in ("native", "slow"):
        if any(case.slow == (disk == "slow") for case in chosen):
            say(f"disk: {disk}")


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        match arguments:
            case ["check"]:
                check()
            case ["is-slow", name]:
                sys.exit(0 if known_case(name).slow else 1)
            case ["profile", name, output]:
                profile(known_case(name), Path(output))
            case ["native" | "slow" as disk, results]:
                measure_disk(disk, Path(results))
            case _:
                sys.exit(__doc__)
    except server.Failure as failure:
        sys.exit(f"error: {failure}")
    finally:
        for program in list(server.running):
            server.end_program(program)


if __name__ == "__main__":
    main(sys.argv[1:])
