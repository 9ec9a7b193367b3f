"""A server under measurement: started on pinned cores, read for CPU time and memory, and always stopped."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """An error that ends the run, reported in one line."""


def _in_child():
    # A shell that starts this program in the background leaves SIGINT ignored, which servers would inherit.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # If this program is killed, its servers are killed too.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def family(pid):
    """Returns the process and all its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it ended meanwhile
    return found


class Server:
    """Runs `taskset -c CORES COMMAND`, with its output in a log file."""

    def __init__(self, name, command, cores, port, log, cwd):
        self.name, self.port, self.log = name, port, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", cores, *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=cwd, start_new_session=True, preexec_fn=_in_child,
            )

    def wait_ready(self, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended at start: {self._last_words()}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise BenchError(f"{self.name} does not listen on port {self.port}: {self._last_words()}")

    def _last_words(self):
        lines = Path(self.log).read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-4:]) or "it said nothing"

    def cpu(self):
        """Returns the CPU seconds so far, user and system, of all its processes, including ended ones."""
        user = system = 0
        for pid in family(self.process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            # After the name: utime, stime, cutime, cstime are fields 11 to 14.
            user += int(fields[11]) + int(fields[13])
            system += int(fields[12]) + int(fields[14])
        return user / TICK, system / TICK

    def memory(self):
        """Returns the bytes of its proportional set size, over all processes."""
        kib = 0
        for pid in family(self.process.pid):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return kib * 1024

    def stop(self):
        """Sends SIGINT, which stops every server here quickly; what remains is killed by its id."""
        if self.process.poll() is not None:
            return
        members = family(self.process.pid)
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
