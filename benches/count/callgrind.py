"""A program under callgrind: when it counts, and what its counts say."""

import re
import subprocess
from pathlib import Path

OPTIONS = [
    "--tool=callgrind",
    "--instr-atstart=no",      # starting up is nobody's request
    "--separate-threads=yes",  # only the thread that serves is counted
    "--collect-bus=yes",       # instructions that lock the bus
]
ALLOCATION = re.compile(r"^mi_(malloc|zalloc|calloc|realloc)")
COPY = re.compile(r"^_*mem(cpy|move)")


class CountError(Exception):
    """Something that ends the run, told in one line."""


def command(program, folder):
    """How `program` is started; its counts will be in `folder`."""
    return ["valgrind", *OPTIONS, f"--callgrind-out-file={folder}/counts", *program]


def control(pid, *arguments):
    """Tells the program to count, to begin again, or to write its counts down."""
    done = subprocess.run(["callgrind_control", *arguments, str(pid)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or "Error" in done.stdout + done.stderr:
        raise CountError(f"callgrind_control {' '.join(arguments)}: {(done.stdout + done.stderr).strip()[-300:]}")


def window(pid, folder, work):
    """The counts of the busiest thread while `work` ran."""
    for old in Path(folder).glob("counts*"):
        old.unlink()
    control(pid, "--zero")
    work()
    control(pid, "--dump")
    threads = [read(path) for path in Path(folder).glob("counts.*")]
    if not threads:
        raise CountError("callgrind wrote no counts")
    return max(threads, key=lambda counts: counts["instructions"])


def read(path):
    """One file of counts. Its format: https://valgrind.org/docs/manual/cl-format.html"""
    events, totals, names = [], [], {}
    calls = {"allocations": 0, "copies": 0}
    caller = callee = ""

    def name(text):
        number, _, rest = text.partition(" ")
        if rest:
            names[number] = rest
        return names[number]

    with open(path, errors="replace") as lines:
        for line in lines:
            if line.startswith("fn="):
                caller = name(line[3:].strip())
            elif line.startswith("cfn="):
                callee = name(line[4:].strip())
            elif line.startswith("calls="):
                count = int(line[6:].split()[0])
                if ALLOCATION.match(callee) and not caller.startswith(("mi_", "_mi_")):
                    calls["allocations"] += count
                elif COPY.match(callee):
                    calls["copies"] += count
            elif line.startswith("events:"):
                events = line.split()[1:]
            elif line.startswith(("totals:", "summary:")):
                totals = [int(value) for value in line.split()[1:]]
    counted = dict(zip(events, totals))
    return {"instructions": counted.get("Ir", 0), "locked": counted.get("Ge", 0)} | calls
