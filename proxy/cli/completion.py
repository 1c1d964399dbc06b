"""``claude-proxy completion SHELL``: what lets a shell complete subcommands, options, sessions and files.

The script is made by `shtab` from the same parsers that read the words, so that it knows all of them and nothing else.
"""

import argparse
import re
from typing import Any

from proxy.cli.arguments import Parser, option, parser_of
from proxy.cli.subcommands import SUBCOMMANDS
from proxy.options import OPTIONS
from proxy.sessions import catalogue

_SHELLS = ("bash", "zsh", "fish")
_SESSIONS = "sessions"
"""In place of a shell: print what SESSION may be, which is what the script asks for."""
_FILES = ("FILE", "PATH", "ARCHIVE", "WRAPPER")
_LIST = f"claude-proxy completion {_SESSIONS} 2>/dev/null"
_BEFORE = {
    "zsh": f"""
_claude_proxy_sessions() {{
  local -a ids=(${{(f)"$({_LIST})"}})
  compadd -V sessions -a ids || _files
}}
functions[_claude_proxy_words]=$functions[_shtab_claude_proxy]
_shtab_claude_proxy() {{
  local at=${{words[(i)--]}}
  if (( at < CURRENT )); then
    (( CURRENT -= at ))
    shift $at words
    _normal
  else
    _claude_proxy_words "$@"
  fi
}}""",
    "fish": f"""
function _claude_proxy_typed
  string replace -r -- '^--[^=]*=' '' (commandline -ct)
end
function _claude_proxy_sessions
  {_LIST}
  set -l typed (_claude_proxy_typed)
  test -n "$typed"; and __fish_complete_path "$typed"
end
""",
}
"""What SESSION may be, asked for when it is needed; and behind ``--`` a command and its own words."""
_AFTER = {
    "bash": """
_claude_proxy() {
  local i word words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == -- ]] && ((i < COMP_CWORD)); then
      COMPREPLY=()
      ((i + 1 < COMP_CWORD)) && return
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
      return
    fi
    [[ ${COMP_WORDS[i]} == = ]] || words+=("${COMP_WORDS[i]}")  # cut by bash: --option = VALUE
  done
  [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && words+=("")
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
  _shtab_claude_proxy
}
complete -o bashdefault -o default -F _claude_proxy claude-proxy""",  # default: files, where nothing else fits
    "fish": """
complete -c claude-proxy -n 'contains -- -- (commandline -opc)' -F
complete -c claude-proxy -n 'test (commandline -opc)[-1] = --' -a '(__fish_complete_command)'""",
}
_MOST = 200
"""Sessions that are offered, the newest: a list that nobody can look through helps nobody."""


def completion_options(parser: argparse.ArgumentParser) -> None:
    """Print a script that lets a shell complete the words of claude-proxy.

    Its folder must exist (mkdir -p). bash reads it with the package bash-completion; zsh if the folder is in $fpath
    before compinit runs.

    Examples:
        claude-proxy completion bash > ~/.local/share/bash-completion/completions/claude-proxy
        claude-proxy completion zsh > ~/.zfunc/_claude-proxy
        claude-proxy completion fish > ~/.config/fish/completions/claude-proxy.fish
    """
    option(parser, "shell bash|zsh|fish: the shell", choices=(*_SHELLS, _SESSIONS))


def run_completion(arguments: argparse.Namespace) -> None:
    """Print the script, or the sessions."""
    if arguments.shell == _SESSIONS:
        print("\n".join(["latest", *catalogue.list_logs(arguments.data_dir)[:_MOST]]))
        return
    import shtab  # noqa: PLC0415 - which a completion of sessions does without

    script = shtab.complete(_whole(), arguments.shell, preamble=_BEFORE.get(arguments.shell, ""))
    if arguments.shell == "zsh":
        script = script.replace('"(*)::', '"*:').replace('"(*):', '"*:')  # else only the first of several
        script = re.sub(r'"(--[\w-]+)\[(?=[^"]*\]:)', r'"\1=[', script)  # takes --option=VALUE too
    print(script + _AFTER.get(arguments.shell, ""))


def _whole() -> Parser:
    """Return a parser of everything (`app` makes one of what is called), which says what each word may be."""
    import shtab  # noqa: PLC0415 - as above

    parser = Parser(prog="claude-proxy")
    parser.add_argument("--version", action="version", help="print the version")
    for ours in OPTIONS.values():
        option(parser, f"--{ours.name} {ours.takes}: {ours.help}", choices=ours.choices or None)
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND")
    actions: list[Any] = [*parser._actions]
    for subcommand, (_, summary) in SUBCOMMANDS.items():
        one = parser_of(subcommand)
        subparsers.add_parser(subcommand, parents=[one], add_help=False, help=summary)
        actions += one._actions
    name = "_claude_proxy_sessions"
    sessions = {**shtab.cmd(_LIST), "zsh": name, "fish": f"({name})"}
    folder = {**shtab.DIRECTORY, "fish": "(__fish_complete_directories (_claude_proxy_typed))"}
    file = {**shtab.FILE, "fish": "(__fish_complete_path (_claude_proxy_typed))"}
    words = {"SESSION": sessions, "DIR": folder, **dict.fromkeys(_FILES, file)}
    for action in actions:
        if action.metavar in words:
            action.complete = words[action.metavar]
        elif action.choices == (*_SHELLS, _SESSIONS):
            action.choices = _SHELLS
    return parser
