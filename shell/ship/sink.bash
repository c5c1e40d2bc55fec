# sink.bash - the URL of the sink, and the name that is made from it.

# shellcheck shell=bash

# read_sink URL - sets `sink` (the URL), `sink_base` (to which the parameters are added), `sink_words` (for messages)
# and `sink_name` (of the files in the state directory).
read_sink() {
  local where
  sink=$1
  [[ $sink =~ ^https?://[^/?#]+([/?][^#]*)?$ && $sink != *[[:space:][:cntrl:]]* ]] ||
    usage_error "--to wants a URL such as http://clickhouse:8123/, not '$(without_password "$sink")'"
  where=${sink#*://} where=${where%%[/?]*}
  [[ $where != *@* && ! ${sink,,} =~ [?\&](user|password|quota_key)= ]] ||
    usage_error '--to: a URL is no place for a user or a password, as every user of this machine can see it;' \
      'write user = "name:password" into a file for --config'
  sink_base=$sink
  [[ $sink_base == *://*[/?]* ]] || sink_base+=/
  if [[ $sink_base == *\?* ]]; then sink_base+='&'; else sink_base+='?'; fi
  [[ ${sink,,} =~ [?\&]database= ]] || sink_base+='database=fleet&'
  sink_words=${sink%%\?*}
  sink_name=${sink#http://} sink_name=${sink_name//:\/\//_}
  while [[ $sink_name == *[/?] ]]; do sink_name=${sink_name%?}; done
  sink_name=${sink_name//[!a-zA-Z0-9._-]/_}
  sink_name=${sink_name:0:150}
}

# without_password URL - for a message.
without_password() {
  printf '%s' "${1/\/\/*@/\/\/…@}"
}

# say_dead ROWS
say_dead() {
  say "$1 of the rows that were sent to $sink_words were refused; they are kept in $cursor, table dead, with the" \
    'reason; to send them once more: --resend'
}
