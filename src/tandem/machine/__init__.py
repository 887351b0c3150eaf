"""The computer at hand: the cache folder, locks, digests, processes, clocks, hardware."""

from tandem.machine.cache import cache_folder, check_disk, write_atomically
from tandem.machine.digests import digest_of, marks, state
from tandem.machine.ending import at_force, end_in_time, end_later
from tandem.machine.hardware import machine_facts, machine_name
from tandem.machine.helper import Helper, leave, revoke
from tandem.machine.locks import forget_locks, held, lock_name, locked, taken
from tandem.machine.processes import (
    JOB_KEY,
    OUTCOME,
    Place,
    end_family,
    ended_with_us,
    handed_over,
    is_child,
    run_child,
    start_child,
    stop_children,
)
from tandem.machine.publish import published
from tandem.machine.scratch import scratch_folder
from tandem.machine.shortage import free_bytes, lacking
from tandem.machine.timing import MemorySampler, Stopwatch

__all__ = [
    "JOB_KEY",
    "OUTCOME",
    "Helper",
    "MemorySampler",
    "Place",
    "Stopwatch",
    "at_force",
    "cache_folder",
    "check_disk",
    "digest_of",
    "end_family",
    "end_in_time",
    "end_later",
    "ended_with_us",
    "forget_locks",
    "free_bytes",
    "handed_over",
    "held",
    "is_child",
    "lacking",
    "leave",
    "lock_name",
    "locked",
    "machine_facts",
    "machine_name",
    "marks",
    "published",
    "revoke",
    "run_child",
    "scratch_folder",
    "start_child",
    "state",
    "stop_children",
    "taken",
    "write_atomically",
]
