"""What came of a load test: throughput, queueing, latency, and failures, the expected ones apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

MOST = 6  # limits and stages that are named
CANCELLED = frozenset({130, 143})


def expected(code: int, cause: str, interrupted: bool) -> str:
    """Names the outcome of one try when it may happen at the peak; empty when it may not.

    done: it went well. overtaken: a newer plan changed the same rows first. retryable: the environment gave way, such
    as a lock that was not given in time. cancelled: we stopped it.
    """
    if code == 0:
        return "done"
    if code == 4 and cause == "plan_overtaken":
        return "overtaken"
    if code == 3:
        return "retryable"
    return "cancelled" if interrupted and code in CANCELLED else ""


@dataclass(frozen=True)
class Try:
    """One process, or one run of a DAG."""

    kind: str
    at: float  # seconds from the start of the test to its end
    seconds: float
    code: int
    cause: str
    outcome: str  # see expected
    rows: int = 0
    cpu: float = 0.0  # seconds that the process says it took
    limit: str = ""  # what it says was its limit, without the share
    stages: dict[str, float] = field(default_factory=dict)  # busy seconds, as it says


@dataclass(frozen=True)
class Processor:
    """Seconds of processor over the test."""

    clients: float  # the worker's processes and the harness's questions
    sandbox: float
    machine: float  # all that ran on it, others' programs too
    cores: int


@dataclass(frozen=True)
class Queue:
    """Sessions that waited for a lock, as the warehouse showed them from time to time."""

    seconds: float = 0.0  # session-seconds waited: sessions seen waiting, times the time between two looks
    most: int = 0  # sessions at a time
    looks: int = 0


def percentile(values: Sequence[float], part: float) -> float:
    """Returns the smallest value that at least so large a part is not above; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)] if ordered else 0.0


def table(tries: Sequence[Try], queue: Queue, seconds: float, counts: Iterable[tuple[str, int]], used: Processor) -> str:
    """Writes the summary for people."""
    lines = [
        f"{'kind':<12}{'tries':>7}{'done':>7}{'p50 s':>9}{'p95 s':>9}{'max s':>9}{'cpu s':>8}{'overtaken':>11}{'retryable':>11}{'cancelled':>11}{'FAILED':>8}"
    ]
    for kind in sorted({t.kind for t in tries}):
        own = [t for t in tries if t.kind == kind]
        times = [t.seconds for t in own if t.outcome == "done"]
        n = Counter(t.outcome for t in own)
        lines.append(
            f"{kind:<12}{len(own):>7}{n['done']:>7}{percentile(times, 0.5):>9.2f}{percentile(times, 0.95):>9.2f}{max(times, default=0):>9.2f}"
            f"{sum(t.cpu for t in own) / len(own):>8.2f}{n['overtaken']:>11}{n['retryable']:>11}{n['cancelled']:>11}{n['']:>8}"
        )
    done, minutes = [t for t in tries if t.outcome == "done"], seconds / 60
    lines += [
        "",
        f"throughput   {len(done) / minutes:.1f} commands and {sum(t.rows for t in done) / minutes:.0f} rows a minute, for {seconds:.0f} s",
        f"queueing     {queue.seconds:.0f} session-seconds waiting for locks, at most {queue.most} sessions at a time ({queue.looks} looks)",
        f"processor    {used.clients:.1f} s the worker's processes and questions to the sandbox, {used.sandbox:.1f} s the sandbox; "
        f"the machine {used.machine:.1f} s of {used.cores} × {seconds:.0f}",
        "requests     " + ", ".join(f"{n} {what} ({n / max(1, len(tries)):.1f} a command)" for what, n in counts),
    ]
    lines += went(tries)
    codes = Counter((t.code, t.cause, t.outcome) for t in tries if t.outcome != "done")
    for (code, cause, outcome), tried in sorted(codes.items()):
        lines.append(f"exit code    {code} {cause or 'stopped'}: {tried} ({outcome or 'NOT EXPECTED'})")
    return "\n".join(lines) + "\n"


def went(tries: Iterable[Try]) -> list[str]:
    """Says where the time of the commands went, in their own words: the limits that they named, and their busiest stages."""
    told = [t for t in tries if t.limit]
    stages: Counter[str] = Counter()
    for t in told:
        stages.update(t.stages)
    whole = sum(t.seconds for t in told)
    return [f"limit        {limit}: {n} commands" for limit, n in Counter(t.limit for t in told).most_common(MOST)] + [
        f"stage        {stage}: {seconds:.1f} s, {seconds / whole:.0%} of the commands' time" for stage, seconds in stages.most_common(MOST) if whole
    ]
