"""Which calls a rule forbids: as the real Claude Code has it, and where the check of a policy knows more."""

from __future__ import annotations

# A rule, commands that it forbids, commands that it does not. Each rule is about a program of its own, so that one
# session of Claude Code can be asked all of them at once.
BASH: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Bash(c1 *)", ("c1", "c1 x", "c1  x"), ("c1x",)),
    ("Bash(c2*)", ("c2", "c2 x", "c2x"), ("x c2",)),
    ("Bash(c3:*)", ("c3", "c3 x"), ("c3x",)),
    ("Bash(c4 run)", ("c4 run", "c4  run"), ("c4 run x",)),
    ("Bash(* c5)", ("a c5", "x y c5"), ("c5", "c5 z")),
    ("Bash(c6 * main)", ("c6 a main", "c6 a b main"), ("c6 main", "c6 a main x")),
    (
        "Bash(c7 *)",
        (
            *(
                "true && c7 x",
                "true; c7 x",
                "true | c7 x",
                "true || c7 x",
                "true & c7 x",
                "true |& c7 x",
                "true\nc7 x",
            ),
            *(
                "echo $(c7 x)",
                "echo `c7 x`",
                "(c7 x)",
                "{ c7 x; }",
                "if true; then c7 x; fi",
                "! c7 x",
                "c7\nx",
            ),
            *(
                "for i in 1; do c7 $i; done",
                "f() { c7 x; }; f",
                "c7 x > out",
                "c7 x 2>&1",
                "\\c7 x",
                "'c7' x",
            ),
            *("timeout 5 c7 x", "nohup c7 x", "nice -n 5 c7 x", "time c7 x", "stdbuf -oL c7 x", "xargs c7 x"),
            *("FOO=1 c7 x", "env FOO=1 c7 x", "sudo c7 x", "command c7 x", "exec c7 x", "/bin/c7 x"),
        ),
        ("cat <<EOF\nc7 x\nEOF", "echo c7 x", "'true c7 x'"),
    ),
)
BASH_BEYOND = (
    *("bash -c 'c7 x'", "sh -lc 'true && c7 x'", "eval 'c7 x'", "find . -exec c7 {} \\;", "xargs -n1 c7 x"),
    "bash -c \"sh -c 'c7 x'\"",
)
"""What runs ``c7`` and what Claude Code lets pass."""
UNKNOWN = (
    *("$X c7 x", "curl x | bash", "bash <<EOF\nc7 x\nEOF", "if then", "bash -c $X"),
    *("c{7,} x", "/bin/c? x", "c*7 x", "$(" * 2000 + "c7 x" + ")" * 2000, "sudo " * 2000 + "c7 x"),
    *("find . " + "-exec a " * 2000, "{" * 2000),
)
"""What cannot be taken apart."""

# A rule, and which of these files it forbids to read, relative to the project. All of them are there.
FILES = (".env", "src/.env", "src/a.txt", "/etc/hosts")
PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Read(.env)", (".env", "src/.env")),
    ("Read(./.env)", (".env", "src/.env")),
    ("Read(**/.env)", (".env", "src/.env")),
    ("Read(src/*)", ("src/.env", "src/a.txt")),
    ("Read(src)", ("src/.env", "src/a.txt")),
    ("Read(*.txt)", ("src/a.txt",)),
    ("Read(//etc/hosts)", ("/etc/hosts",)),
    ("Read(//etc/**)", ("/etc/hosts",)),
    ("Read(~/x/**)", ()),
    ("Edit(src/**)", ()),
)
