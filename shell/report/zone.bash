# zone.bash - the zone whose days and times the status page shows.

# shellcheck shell=bash

# choose_zone - reads --tz: sets `page_zone` to a name, which the browser knows, too; and `zone`, like all commands.
choose_zone() {
  [[ ${opt[tz]} != local ]] || opt[tz]=$(local_zone) || exit
  zone_option
  page_zone=${opt[tz]}
}

# local_zone - the name of this machine's zone: from TZ, or else from /etc/localtime.
local_zone() {
  local name=${TZ-}
  [[ -n $name ]] || name=$(readlink -f /etc/localtime)
  name=${name#:} name=${name##*/zoneinfo/}
  [[ $name == [A-Za-z]* && $name != */localtime ]] ||
    usage_error "--tz local: this machine's zone has no name; give one, as in --tz Europe/Berlin"
  printf '%s' "$name"
}
