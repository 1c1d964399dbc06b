"""The files for services and containers: what they name exists, nothing runs as root, nothing but data is written."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from proxy.cli.subcommands import SUBCOMMANDS
from proxy.options import VARIABLES

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "deploy" / "claude-proxy.service"
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()


def unit() -> dict[str, list[str]]:
    """Return the settings of the unit's service, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_runs_the_server_without_root() -> None:
    """A user of its own, no privileges, a read-only system, and a data directory that systemd makes for it alone."""
    service = unit()
    assert service["User"] == service["Group"] == ["claude-proxy"]
    (command,) = service["ExecStart"]
    assert shlex.split(command)[1] in SUBCOMMANDS
    assert service["ProtectSystem"] == ["strict"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == [""]
    (directory,) = service["StateDirectory"]
    assert f"CLAUDE_PROXY_DATA_DIR=/var/lib/{directory}" in service["Environment"]
    assert service["StateDirectoryMode"] == ["0700"]


def test_the_variables_are_those_of_the_program() -> None:
    """A variable that the program does not know would stop it."""
    named = re.findall(r"CLAUDE_PROXY_\w+", UNIT.read_text() + CONTAINER)
    assert named
    assert set(named) <= VARIABLES


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """systemd finds nothing wrong with it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text().replace("/opt/claude-proxy/bin/claude-proxy", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(there)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, UNIT.name in done.stderr) == (0, False), done.stderr


def test_the_unit_is_well_formed() -> None:
    """It has the three sections of a service that is started with the system."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_the_container_takes_what_is_there_and_runs_without_root() -> None:
    """Each file that it copies exists; at the end stands a user that is not root, and the volume is its own."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINER, re.MULTILINE)
    assert all((ROOT / name).exists() for names in copied for name in names.split())
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*build["only-include"], *build["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    assert needed <= {name for names in copied for name in names.split()}
    (user,) = re.findall(r"^USER (\d+):(\d+)$", CONTAINER, re.MULTILINE)
    assert user == ("10001", "10001")
    assert "install -d -o 10001 -g 10001 -m 0700 /data" in CONTAINER
    assert re.search(r"^VOLUME /data$", CONTAINER, re.MULTILINE)
    (command,) = re.findall(r'^CMD \["(\w+)"\]$', CONTAINER, re.MULTILINE)
    assert command in SUBCOMMANDS
