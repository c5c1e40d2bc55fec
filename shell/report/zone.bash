# zone.bash - the zone whose days and times the status page shows.

# shellcheck shell=bash

load lib/evaluate lib/sql_text

# choose_zone TEXT - sets `page_zone` to a name that the browser knows, too; nothing for UTC.
choose_zone() {
  local zone=$1 text cause
  [[ $zone != local ]] || zone=$(local_zone)
  set_sql_text text "$zone"
  evaluate "taskresults_time('today', $text)"
  if ((${#values[@]} == 0)); then
    cause=${value_error##*and no zone: }
    usage_error "--tz: ${cause%' ('+([0-9])')'}"
  fi
  page_zone=$zone
}

# local_zone - the name of this machine's: what TZ says, or else /etc/localtime.
local_zone() {
  local zone=${TZ-}
  [[ -n $zone ]] || zone=$(readlink -f /etc/localtime)
  zone=${zone#:} zone=${zone##*/zoneinfo/}
  [[ $zone == [A-Za-z]* && $zone != */localtime ]] ||
    usage_error "--tz local: this machine's zone has no name; give one, as in --tz Europe/Berlin"
  printf '%s' "$zone"
}
