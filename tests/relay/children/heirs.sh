# Exits at once with status 4; a descendant keeps stdout and stderr, and writes to both once the named pipe $1 is opened.
{ read -r line <"$1"; echo late; echo late error >&2; } &
echo early
exit 4
