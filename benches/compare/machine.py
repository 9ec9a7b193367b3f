"""The machine: programs, limits, cores, free ports, and the facts needed to interpret the figures."""

import os
import platform
import random
import resource
import shutil
import socket
import subprocess
from pathlib import Path

PACKAGES = {
    "taskset": "util-linux",
    "openssl": "openssl",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
}
NGINX_MODULES = Path("/usr/lib/nginx/modules")


def program(name):
    """Returns the program's path; Debian keeps servers in /usr/sbin, which is not on every PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def missing_packages(programs):
    return sorted({PACKAGES[name] for name in programs if not program(name)})


def has_nginx_lua():
    return (NGINX_MODULES / "ngx_http_lua_module.so").exists()


def raise_file_limit(wanted=65536):
    """Raises the limit of open files as far as allowed and returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        if soft >= limits[0]:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, OSError):
            continue  # only root may raise the hard limit, and not everywhere
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_ports(count):
    """Returns ports without a listener, below the range of outgoing connections."""
    ports, tries = [], random.sample(range(10000, 30000), 2000)
    for port in tries:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports between 10000 and 30000 on 127.0.0.1")


def _first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else None


def facts(tollgate):
    """Returns the machine and the versions for the report."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    versions = {
        "nginx": _first_line([program("nginx") or "nginx", "-v"]),
        "haproxy": _first_line([program("haproxy") or "haproxy", "-v"]),
        "wrk": _first_line(["wrk", "-v"]),
        "h2load": _first_line(["h2load", "--version"]),
        "tollgate": _first_line([str(tollgate), "--version"]) if Path(tollgate).exists() else None,
    }
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": {name: version for name, version in versions.items() if version},
    }
