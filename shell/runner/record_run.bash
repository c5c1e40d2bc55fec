# record_run.bash JOB NAME - the end of `taskresults run`: the record is written. taskresults-run starts it when the
# command has ended, and tells on standard input how: 1 for a success or 0, output, error, the time; the two texts in
# hexadecimal.

# shellcheck shell=bash

set -uo pipefail
shell_home=${0%/runner/*}
# shellcheck source=shell/lib/load.bash
source "$shell_home/lib/load.bash"
load lib/{places,query,sql_text}

in_progress=1 # no line of progress: the output is the command's

read -r success && read -r output && read -r error && read -r time &&
  [[ $success == [01] && $output$error != *[!0-9a-f]* ]] ||
  die "$EXIT_IO" 'how the command ended did not come through'
[[ $time =~ ^[0-9]{4}- ]] || time= # a clock that is off by thousands of years
query "SELECT taskresults_writable(1);
  INSERT INTO task_results(timestamp, job_id, job_name, success, output, error)
  VALUES (nullif($(sql_text "$time"), ''), $(sql_text "$1"), $(sql_text "$2"), $success,
    CAST(x'$output' AS TEXT), CAST(x'$error' AS TEXT));" >/dev/null
