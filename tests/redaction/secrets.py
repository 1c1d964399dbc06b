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
    "stripe test": "sk_" + "test_" + _any(24),
    "stripe webhook": "wh" + "sec_" + _any(32),
    "vault batch": "hvb." + _any(138),
    "gitlab runner registration": "GR13" + "48941" + _any(20),
    "gitlab oauth secret": "gloas-" + _any(64, HEX),
    "groq": "gsk_" + _any(52),
    "perplexity": "pplx-" + _any(48),
    "xai": "xai-" + _any(80),
    "linear": "lin_" + "api_" + _any(40),
    "notion": "ntn_" + _any(46),
    "figma": "figd_" + _any(40),
    "postman": "PMAK-" + _any(24, HEX) + "-" + _any(34, HEX),
    "sentry": "sntrys_" + _any(60),
    "sentry user": "sntryu_" + _any(64, HEX),
    "new relic": "NRAK-" + _any(27, string.ascii_uppercase),
    "grafana": "glsa_" + _any(32) + "_" + _any(8, HEX),
    "grafana cloud": "glc_" + _any(50),
    "shopify": "shp" + "at_" + _any(32, HEX),
    "square": "sq0" + "atp-" + _any(22),
    "1password": "ops_" + "eyJ" + _any(250),
    "age": "AGE-SECRET-" + "KEY-1" + _any(58, BASE32),
    "databricks": "dapi" + _any(32, HEX),
    "planetscale": "pscale_" + "tkn_" + _any(43),
    "supabase": "sbp_" + _any(40, HEX),
    "netlify": "nfp_" + _any(36),
    "fly": "fo1_" + _any(43),
    "fly machine": "fm2_" + _any(60),
    "doppler": "dp." + "pt." + _any(43),
    "pulumi": "pul-" + _any(40, HEX),
    "rubygems": "ruby" + "gems_" + _any(48, HEX),
    "dynatrace": "dt0" + "c01." + _any(24) + "." + _any(64),
    "atlassian": "ATAT" + "T3xFfGF0" + _any(180),
    "bitbucket": "ATBB" + _any(32),
    "artifactory": "AKCp" + _any(69),
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
    "terraform": (_any(14) + ".atlas" + "v1.", _any(64), " "),
    "terraform behind letters that begin a SendGrid key": (_any(12) + "SG.atlas" + "v1.", _any(64), " "),
    "telegram": ("bot " + _any(9, DIGITS) + ":", "AA" + _any(33), " "),
    "azure storage": ("AccountName=x;AccountKey=", _any(86) + "==", ";"),
    "azure signature": ("https://x.blob.core.windows.net/a?se=1&sig=", _any(44) + "%3D", "&x"),
    "npmrc": ("//registry.example.org/:_auth" + "Token=", _any(36), "\n"),
    "teams webhook": ("https://x.webhook.office.com/", "webhookb2/" + _any(36), " "),
    "discord webhook": ("https://discord.com/api/webhooks/1234567890/", _any(68), " "),
    "slack webhook": ("https://hooks.slack.com/", "services/T0000000A/B0000000A/" + _any(24), " "),
}
"""Credentials that are known by what stands before them: that, the secret, what follows."""

HARMLESS = (
    "task-force-and-some-more-words disk-1234567890-1234567890 https://example.org/a:b/c@d",
    "import sk-learn as a-very-long-name-with-hyphens-but-no-digit",
    "git@github.com:a/b.git and mailto:me@example.org and http://[::1]:8000/x",
    "bearer of bad news, Bearer token, Authorization: Basic realm",
    "eyJust words; xoxo-hugs; AKIAcademy; AIzawa; npm_config_registry; hf_transfer; ghp_short",
    "//registry/:_authToken=${NPM_TOKEN} sig=abc dapi-docs xai-sdk pul-request rubygems_version 12:AA AccountKey=x",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "C:\\new\\npm_folder and \\u0041KIA",
)
