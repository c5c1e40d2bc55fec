# seal JOB - keeps a SHA-256 of the lines of a job's file, so that verify can tell whether they were changed
#
# Usage: taskresults seal JOB [OPTION...]
#        taskresults seal --all [OPTION...]
#
# Reads what was appended since the last seal, and adds a line to .taskresults/seals/ beside the results: how many lines
# there are, where they end, and the head of a chain of SHA-256 over all of them. `taskresults verify` computes it anew.
# Keep the head elsewhere, too: print it, mail it, or write it to another machine. Whoever can write to the directory of
# results could change lines and seal them anew, and only a head that was kept elsewhere shows that. ext/SEALS.md says
# what a seal protects, and what it does not.
#
# If the sealed part of a file is shorter than it was, or its last lines are others, the job is not sealed: RESULT is
# tampered. A change further up is for `taskresults verify`; with --sign, the whole file is verified first.
#
# Options:
#   --all           every job; if one cannot be sealed, the others still are
#   --sign KEY      sign the head of each job with this private key of SSH, by ssh-keygen, in the namespace taskresults;
#                   the key may be a public one, if an agent has the private one. `taskresults verify
#                   --allowed-signers FILE` checks the signatures
#   --heads         print only JOB=HEAD for each job: a file of such lines is for `taskresults verify --heads`. Why a
#                   job was not sealed is said on standard error; a job whose name has a line break is left out,
#                   and named
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#
# The machine formats have job_id, result (sealed, unchanged, tampered, busy or failed), lines and bytes (what is sealed
# now), new_lines (that were not before), head, signed (whether that head is signed) and reason.
#
# Exit status:
#   0 fine, even if there was nothing new; 1 no such job, or the sealed part of a file was changed; 2 usage; 3 a job
#   could not be sealed, or signed, or its name cannot be in a file of heads; 75 a prune of a job was running: try
#   again later
#
# Examples:
#   taskresults seal my-job
#   taskresults seal --all --heads > heads.txt
#   taskresults seal --all --sign ~/.ssh/id_ed25519

# shellcheck shell=bash

parse_options 'all sign= heads raw json jsonl' "$@"
load lib/option_values lib/query lib/fields
format_option json jsonl
[[ -z $format || ! -v opt[heads] ]] || usage_error "--heads or --$format, not both"
verify=
[[ ! -v opt[sign] ]] || verify="'verify', 1"
if [[ -v opt[all] ]]; then
  ((${#args[@]} == 0)) || usage_error '--all or a job, not both'
  reports="taskresults_seal_all($verify)"
else
  ((${#args[@]})) || usage_error 'which job? (or --all)'
  at_most 1
  load lib/sql_text
  reports="json_array(json(taskresults_seal($(sql_text "${args[0]}")${verify:+, $verify})))"
fi

# not_sealed - ends the command behind an error of the query, which has been printed.
not_sealed() {
  [[ -v opt[all] || ! -x $results_dir || -e $results_dir/${args[0]}.jsonl || -L $results_dir/${args[0]}.jsonl ]] || {
    load lib/jobs
    suggest_job "${args[0]}"
    exit "$EXIT_NO"
  }
  exit "$EXIT_IO"
}

# show_heads - prints the heads of `rows`; and on standard error, why jobs are not among them.
show_heads() {
  local line reasons=() heads=''
  while IFS= read -r line; do
    case $line in
      '!'*) reasons+=("${line#!}") ;;
      *) heads+=${line#=}$'\n' ;;
    esac
  done < <(printf '%s' "$rows")
  ((${#reasons[@]} == 0)) || { load lib/say; say_each "${reasons[@]}"; }
  printf '%s' "$heads"
}

not_signed=0
[[ ! -v opt[sign] ]] || { load seal/sign; sign_heads; }

# What the last line has: how many jobs were tampered with, busy, and failed; and whose names have a line break.
breaks="instr(job_id, char(10))"
if [[ -v opt[heads] ]]; then
  row="SELECT '=' || $(whole_text job_id) || '=' || head FROM report
      WHERE head IS NOT NULL AND result <> 'tampered' AND NOT $breaks ORDER BY key;
    SELECT '!' || $(cell job_id) || ': ' || $(cell reason) FROM report WHERE result NOT IN ('sealed', 'unchanged')"
elif [[ -n $format ]]; then
  row='SELECT value FROM report'
else
  load terminal/colour
  row="SELECT 'JOB', 'RESULT', 'LINES', 'NEW', 'HEAD', 'NOTE';
    SELECT $(cell job_id), CASE WHEN result IN ('sealed', 'unchanged') THEN $(paint green result)
      ELSE $(paint red result) END, coalesce(lines, ''), coalesce(new_lines, ''), coalesce(head, ''), $(cell reason)
      FROM report"
fi
statements="CREATE TEMP TABLE report AS SELECT key, value, value->>'\$.job_id' AS job_id,
    value->>'\$.result' AS result, value->>'\$.lines' AS lines, value->>'\$.new_lines' AS new_lines,
    value->>'\$.head' AS head, value->>'\$.reason' AS reason FROM json_each($reports);
  $row ORDER BY key;
  SELECT count(*) FILTER (WHERE result = 'tampered'), count(*) FILTER (WHERE result = 'busy'),
    count(*) FILTER (WHERE result = 'failed'),
    coalesce(group_concat(json_quote(job_id), ', ') FILTER (WHERE head IS NOT NULL AND $breaks), '') FROM report;"

rows=$(with_progress query "$statements") || not_sealed
counts=${rows##*$'\n'}
rows=${rows%"$counts"}
IFS=$'\x1f' read -r tampered busy failed unlisted < <(printf '%s\n' "$counts")
if [[ -v opt[heads] ]]; then
  show_heads || exit "$EXIT_IO"
elif [[ -n $format ]]; then
  printf '%s' "$rows" | json_lines "$format"
  finish "${PIPESTATUS[@]}"
else
  load terminal/table
  show_table "$rows" llrrll '6:12 1:8' '4 3'
fi
((failed == 0)) || say "$failed job$( ((failed == 1)) || echo s) could not be sealed"
[[ -v opt[heads] ]] || unlisted=
[[ -z $unlisted ]] || say "left out, as a name with a line break cannot be in a file of heads: $unlisted"
((failed == 0 && not_signed == 0)) && [[ -z $unlisted ]] || exit "$EXIT_IO"
if ((tampered)); then
  say "$tampered job$( ((tampered == 1)) || echo s) not sealed: what was sealed before has been changed;" \
    "\`taskresults verify\` says where"
  exit "$EXIT_NO"
fi
((busy == 0)) || { say "$busy job$( ((busy == 1)) || echo s) busy: try again later"; exit "$EXIT_BUSY"; }
