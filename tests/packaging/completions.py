"""Types into bash, zsh and fish, each in a terminal of its own, and looks at what the Tab key makes of it.

tests/packaging/completions.py ROOT: ROOT is a Debian system in which the package and the shells are installed.
A shell that ROOT lacks is left out, and named. Needs root, because the shells run in a chroot.
"""

import os
import pty
import select
import shutil
import signal
import sys
import time

LIMIT = 60  # seconds, for a shell to start and for one line to be completed
CONFIG = "/etc/tollgate/gateway.toml"

# What is typed before the Tab key, and the line afterwards.
LINES = [
    ("tollgate cli", "tollgate client "),
    ("tollgate client ed", "tollgate client edit "),
    ("tollgate client add --tok", "tollgate client add --token-lifetime "),
    (f"tollgate --config {CONFIG} client edit se", f"tollgate --config {CONFIG} client edit server "),
    (f"tollgate --config {CONFIG} explain GET / --scope re", f"tollgate --config {CONFIG} explain GET / --scope read "),
]

# Each shell shows READY as its prompt, and loads completions from where the package puts them. Ctrl-] writes the
# line into a file, and clears it.
READY = "READY> "
SHELLS = {
    "bash": (
        ["bash", "--rcfile", "/completions/rc", "-i"],
        r"""
PS1='READY> '
. /usr/share/bash-completion/bash_completion
report() { printf '%s\n' "$READLINE_LINE" >/completions/line; READLINE_LINE=''; READLINE_POINT=0; }
bind -x '"\C-]": report'
""",
    ),
    "zsh": (
        ["zsh", "-i"],
        r"""
PS1='READY> '
autoload -Uz compinit && compinit -u
report() { print -r -- "$BUFFER" >/completions/line; BUFFER=''; }
zle -N report
bindkey '^]' report
""",
    ),
    "fish": (
        ["fish", "-i"],
        r"""
set -g fish_greeting
function fish_prompt; echo -n 'READY> '; end
function report; commandline >/completions/line; commandline ''; commandline -f repaint; end
bind \c] report
""",
    ),
}


class Terminal:
    """A shell in a chroot, with a terminal that this process reads."""

    def __init__(self, root, name):
        arguments, settings = SHELLS[name]
        self.name = name
        self.folder = f"{root}/completions"
        self.written = b""
        os.makedirs(f"{self.folder}/fish")
        # Each shell reads one of these when it starts.
        for file in ["rc", ".zshrc", "fish/config.fish"]:
            with open(f"{self.folder}/{file}", "w") as out:
                out.write(settings)
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chroot(root)
            os.chdir("/")
            environment = {
                "HOME": "/completions",
                "ZDOTDIR": "/completions",
                "XDG_CONFIG_HOME": "/completions",
                "XDG_DATA_HOME": "/completions/data",
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM": "xterm",
                "LC_ALL": "C.UTF-8",
            }
            os.execvpe(arguments[0], arguments, environment)

    def wait_for(self, what, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"FAILED: {self.name}: {what}. The terminal has:\n{self.text()}")
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self.terminal, 65536)
                except OSError:
                    sys.exit(f"FAILED: {self.name} ended. The terminal had:\n{self.text()}")

    def complete(self, typed):
        """Returns the line after the Tab key."""
        line = f"{self.folder}/line"
        os.write(self.terminal, f"{typed}\t\x1d".encode())
        self.wait_for(f"no line after {typed!r}", lambda: os.path.exists(line) and os.path.getsize(line) > 0)
        with open(line) as file:
            completed = file.read()
        os.remove(line)
        return completed.removesuffix("\n")

    def text(self):
        return self.written.decode(errors="replace")

    def end(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)
        shutil.rmtree(self.folder)


def main():
    (root,) = sys.argv[1:]
    for name in SHELLS:
        if not os.path.exists(f"{root}/usr/bin/{name}"):
            print(f"==> skipped: {name} is not installed, because apt does not offer it")
            continue
        shell = Terminal(root, name)
        try:
            shell.wait_for("no prompt", lambda: READY.encode() in shell.written)
            for typed, expected in LINES:
                completed = shell.complete(typed)
                if completed != expected:
                    sys.exit(f"FAILED: {name} makes {completed!r} of {typed!r}, instead of {expected!r}")
        finally:
            shell.end()
        print(f"==> {name} completes commands, options and names")


main()
