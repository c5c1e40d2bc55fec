# start.bash - what both scripts begin with: signals, then the library. The script has set `shell_home`.

# shellcheck shell=bash

# A parent that ignores SIGPIPE (Python, some service managers) would turn `| head` into write errors.
if [[ -n $(trap -p PIPE) ]]; then
  exec env --default-signal=PIPE -- "$0" "$@"
fi
trap 'exit 130' INT

for part in say options find sql_text query fields times terminal progress jobs atomic help; do
  # shellcheck source=/dev/null
  source "$shell_home/lib/$part.bash"
done
unset part
