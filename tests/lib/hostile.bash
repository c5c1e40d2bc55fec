# hostile.bash - job ids that break careless programs. `load ../lib/hostile` below `load ../lib/helpers`.

# shellcheck shell=bash disable=SC2034,SC2154  # bats and helpers.bash set them, bats files read them

hostile_jobs=(
  "o'brien's-\"job\"" 'a;drop table x;--' '100%s%n%d' '$(touch pwned)' '`touch pwned`' $'two\nlines' '-n' '--help' '--'
  '😀-emoji' 'ünï-cödé' '.' '.hidden' ' leading and trailing ' '*' '[a-z]' 'back\slash\n' $'tab\there' $'esc\e[31mred'
  '"' "'" 'a|b,c' '!x' '&& touch pwned' '#comment' '~' '{a,b}' "x'41'" 'null' '1e3' $'unit\x1fseparator' '.load x'
)

# make_hostile_jobs - makes a job with one record for each name; the output repeats the name.
make_hostile_jobs() {
  python3 - "$results" "${hostile_jobs[@]}" <<'PYTHON'
import json, sys
for job in sys.argv[2:]:
    with open(f"{sys.argv[1]}/{job}.jsonl", "a") as file:
        for success in (True, False):
            file.write(json.dumps({"timestamp": "2026-01-01T00:00:00.5Z", "job_id": job, "job_name": job,
                                   "success": success, "output": job if success else "",
                                   "error": "" if success else job}) + "\n")
PYTHON
}
