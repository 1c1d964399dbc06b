"""What a credential looks like: by its form, and by the name that stands before it.

Forms are those that their issuers document or that GitHub's secret scanning lists. A form begins with a text that
ordinary traffic hardly ever has, so one search for all of these texts decides whether a line is looked at any further;
the expressions are compiled when such a text is first seen. The search is a library's: for the 1 KB of an ordinary
message it takes 0.8 microseconds, where one regular expression for all texts takes 12 and a `bytes.find` for each 15.

Nothing here knows JSON: data is searched as it stands, and what is found never includes a quote or half an escape.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

Span = tuple[int, int]
"""Where something begins and ends, in bytes."""

_WINDOW = 256 * 1024
"""Bytes searched at once: what the search finds is a list, and a hostile line must not make it a long one."""
_WORD = rb"[A-Za-z0-9_-]"
# At the beginning of a word. A letter that ends an escape of JSON is no part of the word behind it.
_START = rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))"
# Expressions look ahead a bounded way, so that no line takes time by the square of its length.

_AWS_SECRET = rb"[\\\"':=\s]{1,16}(?P<value>[A-Za-z0-9/+]{40})"


def _family(rest: bytes, *beginnings: bytes, start: bytes = b"") -> dict[bytes, bytes]:
    """Return the forms of credentials that differ in their beginning alone."""
    return {one: start + one.replace(b".", rb"\.") + rest for one in beginnings}


_FORMS: dict[bytes, bytes] = {
    # Anthropic and OpenAI; others have taken over `sk-`. The rest holds a digit, which words with hyphens do not.
    b"sk-": _START + rb"sk-(?=[A-Za-z_-]{0,100}[0-9])" + _WORD + rb"{20,}",
    # AWS: access key ids are 20 characters of base 32; secret keys are known by their name alone.
    **_family(rb"[A-Z2-7]{16}(?![A-Z0-9])", b"AKIA", b"ASIA", start=_START),
    **_family(_AWS_SECRET, b"ecret_access_key", b"ECRET_ACCESS_KEY", b"ecretAccessKey"),
    # GitHub: classic, OAuth, user, server and refresh tokens; fine-grained ones.
    **_family(rb"[A-Za-z0-9]{36,255}", b"ghp_", b"gho_", b"ghu_", b"ghr_"),
    b"ghs_": rb"ghs_[A-Za-z0-9._-]{36,}",
    b"github_pat_": rb"github_pat_[A-Za-z0-9_]{22,255}",
    # GitLab: personal, deploy, runner, CI job, trigger, feed and agent tokens.
    **_family(rb"[A-Za-z0-9._-]{20,}", b"glpat-", b"glrt-"),
    **_family(_WORD + rb"{20,}", b"gldt-", b"glcbt-", b"glft-"),
    b"glptt-": rb"glptt-[A-Za-z0-9]{40}",
    b"glagent-": rb"glagent-[A-Za-z0-9_-]{50,}",
    # Slack: bot, user, app and configuration tokens; webhooks.
    b"xox": rb"xox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}",
    b"xapp-": rb"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    b"hooks.slack.com/": rb"hooks\.slack\.com/(?P<value>(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,})",
    # Google: API keys, OAuth access tokens and client secrets.
    b"AIza": rb"AIza" + _WORD + rb"{35}",
    b"ya29.": rb"ya29\.[A-Za-z0-9_.-]{20,}",
    b"GOCSPX-": rb"GOCSPX-" + _WORD + rb"{28}",
    # npm and PyPI.
    b"npm_": rb"npm_[A-Za-z0-9]{36}",
    b"pypi-": rb"pypi-A" + _WORD + rb"{50,}",
    # Others whose tokens have a documented beginning.
    b"hf_": _START + rb"hf_[A-Za-z]{34}",
    **_family(rb"[A-Za-z0-9]{16,}", b"sk_live_", b"rk_live_", b"sk_test_", b"rk_test_"),
    b"SG.": _START + rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    b"dckr_pat_": rb"dckr_pat_" + _WORD + rb"{27,}",
    b"dop_v1_": rb"dop_v1_[a-f0-9]{64}",
    b"hvs.": _START + rb"hvs\." + _WORD + rb"{24,}",
    b"whsec_": rb"whsec_[A-Za-z0-9+/]{24,}={0,2}",
    b"hvb.": _START + rb"hvb\." + _WORD + rb"{100,}",
    b"GR1348941": rb"GR1348941" + _WORD + rb"{20,}",
    **_family(_WORD + rb"{20,}", b"glsoat-", b"glffct-", b"gloas-", b"glimt-", start=_START),
    # Model providers: Groq, Perplexity, xAI, organisations of Hugging Face.
    b"gsk_": _START + rb"gsk_[A-Za-z0-9]{40,}",
    b"pplx-": _START + rb"pplx-[A-Za-z0-9]{40,}",
    b"xai-": _START + rb"xai-[A-Za-z0-9]{60,}",
    b"api_org_": _START + rb"api_org_[A-Za-z]{33}",
    # Linear, Notion, Figma, Postman, Sentry, New Relic, Grafana, Shopify, Square, 1Password, age.
    b"lin_api_": rb"lin_api_[A-Za-z0-9]{40}",
    b"ntn_": _START + rb"ntn_[A-Za-z0-9]{40,}",
    b"figd_": _START + rb"figd_" + _WORD + rb"{40,}",
    b"PMAK-": rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    b"sntrys_": rb"sntrys_[A-Za-z0-9+/=_]{40,}",
    b"sntryu_": rb"sntryu_[a-f0-9]{64}",
    b"NRAK-": rb"NRAK-[A-Z0-9]{27}",
    b"glsa_": rb"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    b"glc_": _START + rb"glc_[A-Za-z0-9+/]{32,}={0,2}",
    **_family(rb"[a-fA-F0-9]{32}", b"shpat_", b"shpca_", b"shppa_", b"shpss_"),
    **_family(_WORD + rb"{22,}", b"sq0atp-", b"sq0csp-"),
    b"ops_eyJ": rb"ops_eyJ[A-Za-z0-9+/]{100,}={0,2}",
    b"AGE-SECRET-KEY-1": rb"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    # Databricks, PlanetScale, Supabase, Netlify, Fly, Doppler, Pulumi, Terraform, RubyGems, Dynatrace.
    b"dapi": _START + rb"dapi[a-f0-9]{32}",
    **_family(rb"[A-Za-z0-9._-]{32,}", b"pscale_tkn_", b"pscale_pw_", b"pscale_oauth_"),
    b"sbp_": _START + rb"sbp_[a-f0-9]{40}",
    b"nfp_": _START + rb"nfp_[A-Za-z0-9]{36}",
    b"fo1_": _START + rb"fo1_" + _WORD + rb"{43}",
    b"fm2_": _START + rb"fm2_[A-Za-z0-9+/_=-]{40,}",
    **_family(rb"[A-Za-z0-9._-]{40,}", b"dp.pt.", b"dp.st.", b"dp.sa.", start=_START),
    b"pul-": _START + rb"pul-[a-f0-9]{40}",
    # Without the dot before it, which may be the last byte of `SG.`: 14 random characters stand there.
    b"atlasv1.": rb"(?<=\.)atlasv1\.(?P<value>[A-Za-z0-9=_-]{60,})",
    b"rubygems_": rb"rubygems_[a-f0-9]{48}",
    b"dt0c01.": rb"dt0c01\.[A-Z0-9a-z]{24}\.[A-Z0-9a-z]{64}",
    # Atlassian, Bitbucket, Artifactory, Telegram, Azure, registries of npm; webhooks of Teams and Discord.
    b"ATATT3": rb"ATATT3[A-Za-z0-9=_-]{100,}",
    b"ATBB": _START + rb"ATBB[A-Za-z0-9]{32}",
    b"AKCp": _START + rb"AKCp[A-Za-z0-9]{66,}",
    b":AA": rb"(?<=[0-9]{8}):(?P<value>AA" + _WORD + rb"{33})",
    b"AccountKey=": rb"AccountKey=(?P<value>[A-Za-z0-9+/]{80,}={0,2})",
    b"sig=": rb"sig=(?P<value>[A-Za-z0-9%/+]{40,}%3D)",
    b"_authToken=": rb"_authToken=(?P<value>[A-Za-z0-9][A-Za-z0-9._/+=-]{15,})",
    b"webhook.office.com/": rb"webhook\.office\.com/(?P<value>webhookb2/[A-Za-z0-9@/-]{36,})",
    b"/api/webhooks/": rb"/api/webhooks/[0-9]{10,}/(?P<value>" + _WORD + rb"{60,})",
    # JSON Web Tokens (RFC 7519): three parts, the first two JSON objects in base64url.
    b"eyJ": _START + rb"eyJ" + _WORD + rb"{8,}\.eyJ" + _WORD + rb"{4,}\." + _WORD + rb"*",
    # PEM (RFC 7468), also where a JSON string holds it; one that was cut ends with what there is.
    b"-----BEGIN ": rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:[^\"\\-]|\\[^\"]|-(?!----END))*(?:-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
    # A password in a URL (RFC 3986 section 3.2.1), and what an Authorization header carries (RFC 6750, RFC 7617).
    b"://": rb"://[^\s/\"'\\@:?#]*:(?P<value>[^\s/\"'\\@]+)@",
    b"Bearer ": rb"Bearer (?P<value>(?=[A-Za-z._~+/-]{0,100}[0-9])[A-Za-z0-9._~+/-]{16,}=*)",
    b"Authorization: Basic ": rb"Authorization: Basic (?P<value>[A-Za-z0-9+/]{8,}={0,2})",
}

_MARKS = (b'"control_re', b'"update_environment_variables"')
"""Messages that carry credentials by definition of the protocol: control requests and responses, and variables."""
_HALF = (len(_MARKS) + len(_FORMS)) // 2
_BUCKETS = 16


def _in_buckets(texts: list[bytes]) -> list[bytes]:
    """Order sorted texts so that neighbours come into one bucket of the search: a third less time for ordinary lines.

    The library deals texts out to its buckets in turn. A place is looked at closely where each of its bytes fits any
    text of one bucket, which happens less often the more alike those texts are.

    A search goes on behind the text that it has found, so a text must not begin within another one of its half that
    may stand before it.
    """
    size, more = divmod(len(texts), _BUCKETS)
    starts = [bucket * size + min(bucket, more) for bucket in range(_BUCKETS + 1)]
    buckets = [texts[start:end] for start, end in pairwise(starts)]
    return [bucket[turn] for turn in range(size + 1) for bucket in buckets if turn < len(bucket)]


_sorted = sorted((*_MARKS, *_FORMS))
_BEGINNINGS = (*_in_buckets(_sorted[:_HALF]), *_in_buckets(_sorted[_HALF:]))
# The first match at each place is enough, and it is the search that the library has vector instructions for; of up to
# 64 texts, so there are two searches: one for all would take 30 times as long.
# The library's own choice, a DFA, would take 150 KB more of each session, and is no faster behind these instructions.
_first, _second = (
    BytesAhoCorasick(
        part, matchkind=MatchKind.LeftmostFirst, implementation=Implementation.ContiguousNFA
    ).find_matches_as_indexes
    for part in (_BEGINNINGS[:_HALF], _BEGINNINGS[_HALF:])
)

_LONGEST_BEGINNING = max(map(len, _BEGINNINGS))


_SECRET_ENDINGS = (
    *("token", "secret", "password", "passwd", "passphrase", "credential", "credentials", "authorization"),
    "cookie",
    *(
        f"{kind}{hyphen}key"
        for kind in ("api", "access", "private", "signing", "encryption", "auth")
        for hyphen in ("_", "-", "")
    ),
)
SECRET_NAMES = rb"[A-Za-z0-9_.-]{0,60}(?:%b)|pwd|auth" % "|".join(_SECRET_ENDINGS).encode()
"""An expression for names of fields, variables and options that say that their value is a secret."""
# The value of "name":"value", also within a JSON string, where quotes have a backslash and the value's own escapes
# three; of NAME=value and of NAME: value, as shells and headers have them.
_NAMED = (
    rb"(?i:(?<![\w.-])(?:%b)(?:"
    rb'"\s*:\s*"(?P<json>(?:[^"\\]|\\.)+)"'
    rb'|\\"\s*:\s*\\"(?P<inner>(?:[^"\\]|\\\\\\?.)+)\\"'
    rb"|(?:=|:\s)\s?(?:\\?[\"'])?(?:(?:bearer|basic)\s)?(?P<word>[^\s\"'\\,;&<>(){}\[\]]{3,})))"
)
_RANDOM = rb"(?:(?<![\w+/=\\-])|(?<=\\[bfnrt]))[A-Za-z0-9_+-]{20,}={0,2}(?![\w+/=-])"
# What stands before the value of a field that holds an identifier; and an identifier itself (RFC 9562).
_IDENTIFIES = rb'(?:id|uuid)\\?"\s*:\s*\\?"$'
_UUID = rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_RANDOM_BITS = 3.5
"""Bits of entropy a character from which a word counts as random: names made of English words have up to about 3.3,
tokens of 20 characters out of 62 have about 4."""


def may_hold_credentials(data: bytes) -> bool:
    """Tell whether ``data`` holds a well-known kind of credential, or a message that carries some by definition."""
    # Most data has no such text, and a generator would take as long again.
    if len(data) <= _WINDOW and not (_first(data) or _second(data)):
        return False
    return any(text in _MARKS or _form_at(text, data, start) for text, start in _beginnings(data))


def well_known(data: bytes) -> Iterator[Span]:
    """Yield where well-known kinds of credentials stand in ``data``, in order."""
    end = 0
    for text, start in _beginnings(data):
        if text not in _MARKS and start >= end and (match := _form_at(text, data, start)):
            yield match.span("value" if "value" in match.re.groupindex else 0)
            end = match.end()


def is_secret_name(name: str) -> bool:
    """Tell whether the name of an option or a variable says that its value is a secret, as `SECRET_NAMES` does."""
    return name.lower().endswith(_SECRET_ENDINGS) or name.lower() in {"pwd", "auth"}


def named(data: bytes, names: bytes = SECRET_NAMES) -> Iterator[Span]:
    """Yield where the values of fields, variables and headers stand whose name ``names`` (an expression) matches."""
    for match in _compiled(_NAMED % names).finditer(data):
        yield match.span(match.lastgroup or 0)


def random(data: bytes) -> Iterator[Span]:
    """Yield where words stand that look random, but for the values of fields that hold identifiers."""
    for match in _compiled(_RANDOM).finditer(data):
        word, start = match[0], match.start()
        if (
            _looks_random(word)
            and not _compiled(_UUID).fullmatch(word)
            and not _compiled(_IDENTIFIES, ignore_case=True).search(data, max(0, start - 20), start)
        ):
            yield match.span()


def _beginnings(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each text that a form begins with, and its place."""
    view = memoryview(data)
    for offset in range(0, len(data), _WINDOW):
        # A text that begins in this window may end in the next, where its rest is no text of its own.
        window = view[offset : offset + _WINDOW + _LONGEST_BEGINNING - 1]
        found = [(start, index) for index, start, _ in _first(window)]
        found += [(start, _HALF + index) for index, start, _ in _second(window)]
        for start, index in sorted(found):
            if start < _WINDOW:
                yield _BEGINNINGS[index], offset + start


def _form_at(beginning: bytes, data: bytes, start: int) -> re.Match[bytes] | None:
    if data[start - 1 : start] == b"\\":  # the first letter belongs to an escape of JSON
        return None
    return _compiled(_FORMS[beginning]).match(data, start)


def _looks_random(word: bytes) -> bool:
    kinds = sum(any(low <= byte <= high for byte in word) for low, high in (b"09", b"az", b"AZ"))
    counts = [word.count(byte) for byte in set(word)]
    entropy = -sum(count / len(word) * math.log2(count / len(word)) for count in counts)
    return kinds > 1 and entropy >= _RANDOM_BITS


@cache
def _compiled(expression: bytes, *, ignore_case: bool = False) -> re.Pattern[bytes]:
    import re  # noqa: PLC0415 - most sessions meet nothing that needs it

    return re.compile(expression, re.IGNORECASE if ignore_case else 0)
