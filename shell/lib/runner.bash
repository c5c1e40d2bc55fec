# runner.bash - where the program behind `taskresults run` is.

# shellcheck shell=bash

# find_runner - sets `runner`, the program behind `taskresults run`, which lies beside the extension.
find_runner() {
  runner=$shell_home/taskresults-run
  [[ -x $runner ]] || runner=$shell_home/../taskresults-run
  [[ -x $runner ]]
}
