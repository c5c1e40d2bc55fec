# record_run.bash JOB NAME TIMEOUT_WORDS - the end of `taskresults run`: the record is written. taskresults-run starts it
# when the command has ended, and tells on standard input how: a word, a blank, and a text in hexadecimal.

# shellcheck shell=bash

set -uo pipefail
shell_home=${0%/lib/*}
for part in visible say find sql_text query; do
  # shellcheck source=/dev/null
  source "$shell_home/lib/$part.bash"
done

in_progress=1 # no line of progress: the output is the command's

read -r how text
success=0 output="''" error="CAST(x'$text' AS TEXT)"
case $how in
  success) success=1 output=$error error="''" ;;
  failure) ;;
  timed_out) error=$(sql_text "$3") ;;
  *) die "$EXIT_IO" 'how the command ended did not come through' ;;
esac
[[ $text =~ ^([0-9a-f]{2})*$ ]] || die "$EXIT_IO" 'what the command printed did not come through'
query "SELECT taskresults_writable(1);
  INSERT INTO task_results(job_id, job_name, success, output, error)
  VALUES ($(sql_text "$1"), $(sql_text "$2"), $success, $output, $error);" >/dev/null
