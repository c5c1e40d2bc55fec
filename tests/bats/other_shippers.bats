#!/usr/bin/env bats
# What examples/clickhouse/OTHER_SHIPPERS.md says of rsyslog and syslog-ng beside our pruner, with the real programs.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers

@test "rsyslog repeats what a prune keeps and loses nothing; syslog-ng with inotify loses lines; so says the document" {
  [[ ${TASKRESULTS_SHIPPERS-} ]] || skip 'make shippers runs it: these programs do not say when they are done, so it goes by time'
  . /etc/os-release
  [[ $ID$VERSION_ID == debian12 ]] || skip 'the document tells of the programs that Debian 12 has'
  run "$root/tests/shippers/run" "$root/build/shippers"
  ((status != 4)) || missing_extra 'the packages rsyslog and syslog-ng-core'
  echo "$output"
  [[ $status -eq 0 && ${#lines[@]} -eq 6 ]]
  local row shipper setting written kept arrived twice never
  for row in "${lines[@]}"; do
    IFS=$'\t' read -r shipper setting written kept arrived twice never <<<"$row"
    if [[ $setting == *'(), inotify' ]]; then
      ((never > 0))
    else
      ((arrived == written + kept && twice == kept && never == 0))
    fi
    # The document's row: as many lines arrived, and its setting begins with the same word.
    grep -qE "^\| $shipper \| \`${setting%%[(,]*}[^|]*\| $written \| [0-9]+ \|" "$root/examples/clickhouse/OTHER_SHIPPERS.md"
  done
  [[ $(grep -cE '^\| (rsyslog \| .* \| 700 \| 900 \| 200 \| 0|syslog-ng \| .* \| 700 \| (900 \| 200 \| 0|[0-9]+ \| [0-9]+ \| [1-9][0-9]*)) \|$' \
    "$root/examples/clickhouse/OTHER_SHIPPERS.md") -eq 6 ]]
}
