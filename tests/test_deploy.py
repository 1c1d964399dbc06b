"""The files for services and containers: what they name exists, nothing runs as root, nothing but data is written."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from proxy.cli.subcommands import SUBCOMMANDS
from proxy.config import KEYS
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


# -- a fleet ---------------------------------------------------------------------------------------------------

COMPOSE, SIDECAR, CI = (
    (ROOT / "deploy" / name).read_text()
    for name in ("compose.yaml", "kubernetes-sidecar.yaml", "github-actions.yaml")
)


def run_by(value: object) -> list[list[str]]:
    """Return the commands of ours in a recipe: subcommand and options, without what is wrapped."""
    found: list[list[str]] = []
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("command", "args", "run") and isinstance(one, str | list):
                words = shlex.split(one) if isinstance(one, str) else one
                if words[0] == "claude-proxy" or (key != "run" and words[0] in SUBCOMMANDS):
                    found.append([word for word in words if word != "claude-proxy"])
            else:
                found += run_by(one)
    elif isinstance(value, list):
        found += [words for one in value for words in run_by(one)]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COMPOSE, [["store", "migrate"], ["serve"]]),
        (SIDECAR, [["serve"], ["ship", "--once", "--wait", "60"], ["--server", "off", "--"]]),
        (CI, [["--"], ["ship", "--once", "--wait", "60"]]),
    ],
)
def test_recipes_of_a_fleet_run_what_there_is(text: str, expected: list[list[str]]) -> None:
    """Each command is one of ours, and takes the options that it is given; each setting is one."""
    found = [words for one in yaml.safe_load_all(text) for words in run_by(one)]
    found = [words[: words.index("--") + 1] if "--" in words else words for words in found]
    assert found == expected
    for words in found:
        subcommand = [word for word in words[:2] if word.isalpha() and word != "off"]
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *subcommand, "--help"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert all(word in done.stdout for word in words if word.startswith("--") and word != "--")
    named = set(re.findall(r"CLAUDE_PROXY_\w+__\w+", text))
    assert named <= {key.variable for key in KEYS.values()}
    others = {"CLAUDE_PROXY_REPOSITORY", "CLAUDE_PROXY_PUSH_TOKEN"}  # of the CI system, chosen by its users
    assert set(re.findall(r"CLAUDE_PROXY_\w+", text)) - named - others <= VARIABLES


def test_the_centre_is_made_of_what_is_there() -> None:
    """The image is built with the libraries of its database, and starts once that answers and has its tables."""
    services = yaml.safe_load(COMPOSE)["services"]
    for name, after in (("migrate", "database"), ("centre", "migrate")):
        build = services[name]["build"]
        assert (ROOT / "deploy" / build["context"] / build["dockerfile"]).samefile(
            ROOT / "deploy" / "Containerfile"
        )
        assert after in services[name]["depends_on"]
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert build["args"]["EXTRAS"] in extras
    assert "ARG EXTRAS" in CONTAINER


def test_agent_and_sidecar_share_one_data_directory() -> None:
    """As one user, and the sidecar has time to send what is left."""
    _, job = yaml.safe_load_all(SIDECAR)
    pod = job["spec"]["template"]["spec"]
    (sidecar,), (agent,) = pod["initContainers"], pod["containers"]
    where = [{one["name"]: one.get("value") for one in each["env"]} for each in (sidecar, agent)]
    assert where[0]["CLAUDE_PROXY_DATA_DIR"] == where[1]["CLAUDE_PROXY_DATA_DIR"]
    assert sidecar["volumeMounts"] == agent["volumeMounts"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert sidecar["restartPolicy"] == "Always"
    assert int(sidecar["lifecycle"]["preStop"]["exec"]["command"][-1]) < pod["terminationGracePeriodSeconds"]
