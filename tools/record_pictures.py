"""Records the pictures in README: ``python -m tools.record_pictures``, with Node.js and Chromium at hand.

`docs/images/terminal.svg` shows the subcommands over the session of ``./demo``, as they print it at a terminal;
`docs/images/page.png` the page of that session. Record them anew when what they show has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path

from proxy.server.background import server_address

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
RECORDED = ROOT / "fixtures/first_look.jsonl"
COLUMNS, ROWS = 104, 30
COMMANDS = ("claude-proxy sessions", "claude-proxy show latest", "claude-proxy analyze latest | head -17")
READING_S = (2.5, 5.0, 7.0)
"""How long each command's output stands before the next is typed."""
SVG_TERM = "svg-term-cli@2.1.1"
PROMPT = "\x1b[1;32m$\x1b[0m "


def main() -> None:
    """Record both."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder, "data")
        sessions = data_dir / "sessions"
        sessions.mkdir(mode=0o700, parents=True)
        data_dir.chmod(0o700)
        session_id = json.loads(RECORDED.read_bytes().partition(b"\n")[0])["session_id"]
        (sessions / f"{session_id}.jsonl").write_bytes(RECORDED.read_bytes())
        (sessions / "latest.jsonl").symlink_to(f"{session_id}.jsonl")
        env = {**os.environ, "CLAUDE_PROXY_DATA_DIR": str(data_dir), "PAGER": "cat", "TERM": "xterm-256color"}
        record_terminal(Path(folder, "cast"), env)
        record_page(data_dir, env)


def record_terminal(cast: Path, env: dict[str, str]) -> None:
    """Write the terminal's recording, by way of an asciicast (version 2)."""
    events, now = [], 0.5
    for command, reading_s in zip(COMMANDS, READING_S, strict=True):
        events.append((now, PROMPT))
        for at in range(0, len(command), 2):
            now += 0.12
            events.append((now, command[at : at + 2]))
        now += 0.4
        events.append((now, "\r\n" + printed(command, env)))
        now += reading_s
    events += [(now, PROMPT), (now + 1.5, "")]
    header = {"version": 2, "width": COLUMNS, "height": ROWS}
    cast.write_text(
        "\n".join(json.dumps(line) for line in [header, *([at, "o", text] for at, text in events)]) + "\n"
    )
    subprocess.run(
        ["npx", "--yes", SVG_TERM, "--in", cast, "--out", IMAGES / "terminal.svg", "--window", "--no-cursor"],
        check=True,
    )


def printed(command: str, env: dict[str, str]) -> str:
    """Return what a command prints at a terminal."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {**env, "COLUMNS": str(COLUMNS), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}
    child = subprocess.Popen(
        command, shell=True, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=ROOT
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # its end
        while chunk := os.read(ours, 65_536):
            shown += chunk
    os.close(ours)
    if child.wait():
        raise SystemExit(shown.decode())
    return shown.decode()


def record_page(data_dir: Path, env: dict[str, str]) -> None:
    """Write the page's picture."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit("there is no Chromium on PATH")
    env = {
        name: value for name, value in env.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    open_page = [sys.executable, "-m", "proxy", "--port", "0", "open", "latest"]
    url = subprocess.run(
        open_page, env=env, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--force-device-scale-factor=1"]
    options += ["--window-size=1280,860", "--virtual-time-budget=8000", f"--screenshot={IMAGES / 'page.png'}"]
    try:
        subprocess.run([browser, *options, url], check=True, stderr=subprocess.DEVNULL)
    finally:
        said = server_address(str(data_dir))
        if said is not None:
            os.kill(said["pid"], signal.SIGTERM)


if __name__ == "__main__":
    main()
