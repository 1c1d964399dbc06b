"""Made-up credentials of every known kind. In pieces, so that no scanner takes this file for a leak."""

import random
import string

_random = random.Random(1)


def _any(length: int, characters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_random.choices(characters, k=length - 1)) + "7"


BASE32 = string.ascii_uppercase + "234567"
DIGITS = string.digits
HEX = "0123456789abcdef"
PEM = "-----BEGIN {0}PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nab+/cd==\n-----END {0}PRIVATE KEY-----"

WELL_KNOWN: dict[str, str] = {
    "anthropic": "sk-" + "ant-api03-" + _any(93) + "AA",
    "anthropic oauth": "sk-" + "ant-oat01-" + _any(80),
    "openai": "sk-" + _any(20) + "T3BlbkFJ" + _any(20),
    "openai project": "sk-" + "proj-" + _any(48),
    "aws key id": "AKIA" + _any(15, BASE32) + "Q",
    "aws session key id": "ASIA" + _any(15, BASE32) + "Q",
    "github": "ghp_" + _any(36),
    "github oauth": "gho_" + _any(36),
    "github user": "ghu_" + _any(36),
    "github server": "ghs_" + _any(36),
    "github refresh": "ghr_" + _any(36),
    "github fine-grained": "github_" + "pat_" + _any(22) + "_" + _any(59),
    "gitlab": "glpat-" + _any(20),
    "gitlab deploy": "gldt-" + _any(20),
    "gitlab runner": "glrt-" + _any(20),
    "gitlab job": "glcbt-" + _any(24),
    "gitlab trigger": "glptt-" + _any(40),
    "slack bot": "xoxb-" + _any(12, DIGITS) + "-" + _any(12, DIGITS) + "-" + _any(24),
    "slack user": "xoxp-" + _any(12, DIGITS) + "-" + _any(24),
    "slack app": "xapp-1-" + _any(11) + "-" + _any(40),
    "google": "AIza" + _any(35),
    "google oauth": "ya29." + _any(60),
    "google client": "GOCSPX-" + _any(28),
    "npm": "npm_" + _any(36),
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + _any(70),
    "stripe": "sk_" + "live_" + _any(24),
    "docker": "dckr_pat_" + _any(27),
    "digitalocean": "dop_v1_" + _any(64, HEX),
    "vault": "hvs." + _any(28),
    "sendgrid": "SG." + _any(22) + "." + _any(43),
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxIn0" + "." + _any(43),
    "private key": PEM.format("RSA "),
    "private key in pkcs8": PEM.format(""),
    "ssh key": PEM.format("OPENSSH "),
}
AROUND: dict[str, tuple[str, str, str]] = {
    "url": ("postgres://me:", "pa55w0rd", "@db.example.org/x"),
    "token in url": ("https://x-access-token:", "abc123", "@github.com/a/b.git"),
    "bearer": ("curl -H 'Authorization: Bearer ", "abc123def456ghi789", "' x"),
    "basic": ("Authorization: Basic ", "dXNlcjpwYXNz", "\n"),
    "aws secret": ('{"SecretAccessKey": "', _any(40), '"}'),
    "aws secret in a file": ("aws_secret_access_key = ", _any(40), "\n"),
    "aws secret in the environment": ("export AWS_SECRET_ACCESS_KEY=", _any(40), " "),
    "slack webhook": ("https://hooks.slack.com/", "services/T0000000A/B0000000A/" + _any(24), " "),
}
"""Credentials that are known by what stands before them: that, the secret, what follows."""

HARMLESS = (
    "task-force-and-some-more-words disk-1234567890-1234567890 https://example.org/a:b/c@d",
    "import sk-learn as a-very-long-name-with-hyphens-but-no-digit",
    "git@github.com:a/b.git and mailto:me@example.org and http://[::1]:8000/x",
    "bearer of bad news, Bearer token, Authorization: Basic realm",
    "eyJust words; xoxo-hugs; AKIAcademy; AIzawa; npm_config_registry; hf_transfer; ghp_short",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "C:\\new\\npm_folder and \\u0041KIA",
)
