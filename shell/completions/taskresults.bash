# taskresults.bash - bash completion of taskresults and view_results: commands, options, job ids.

# shellcheck shell=bash

# Sets `found` to the job ids that begin with $1.
_taskresults_jobs() {
  local dir=${SCHEDULER_RESULTS_DIR:-/opt/.task-scheduler/results} path
  found=()
  while IFS= read -rd '' path; do
    path=${path##*/}
    path=${path%.jsonl}
    if [[ ${path:0:${#1}} == "$1" ]]; then found+=("$path"); fi
  done < <(shopt -s nullglob dotglob; printf '%s\0' "$dir"/*.jsonl)
}

# Sets `word` to the word being typed, without its quoting; and `before` to the part of it that bash will not replace,
# since for bash, : and = end a word.
_taskresults_word() {
  local i=$COMP_CWORD
  word=${COMP_WORDS[i]} before=
  while ((i > 2)) && [[ ${COMP_WORDS[i]} == [:=]* || ${COMP_WORDS[i - 1]} == *[:=] ]] &&
    [[ $COMP_LINE == *"${COMP_WORDS[i - 1]}${COMP_WORDS[i]}"* ]]; do
    i=$((i - 1))
    word=${COMP_WORDS[i]}$word
  done
  [[ $word != *[:=]* ]] || before=${word%"${word##*[:=]}"}
  quote=
  if [[ $word == [\"\']* ]]; then
    quote=${word:0:1} word=${word:1}
  else
    word=${word//\\/} before=${before//\\/}
  fi
}

_taskresults_reply() {
  local candidate
  COMPREPLY=()
  for candidate; do
    [[ ${candidate:0:${#word}} == "$word" ]] || continue
    candidate=${candidate:${#before}}
    [[ -n $quote ]] || printf -v candidate '%q' "$candidate"
    COMPREPLY+=("$candidate")
  done
}

_taskresults() {
  local word before quote found command=${COMP_WORDS[1]-} program=${COMP_WORDS[0]} i dashed=
  _taskresults_word
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == -- ]]; then dashed=1; fi
  done
  if [[ ${program##*/} == view_results ]]; then
    _taskresults_viewer
  elif ((COMP_CWORD == 1)) || [[ $command == help ]]; then
    _taskresults_commands
  elif [[ -n $dashed ]] || ! _taskresults_option; then
    _taskresults_argument
  fi
}

# _taskresults_viewer - the arguments of view_results.
_taskresults_viewer() {
  if ((COMP_CWORD == 1)); then
    _taskresults_jobs "$word"
    _taskresults_reply "${found[@]}"
  else
    _taskresults_reply --latest --limit --success --errors
  fi
}

_taskresults_zones() {
  local zones
  mapfile -t zones < <(awk -F '\t' '!/^#/ {print $3}' /usr/share/zoneinfo/zone1970.tab 2>/dev/null)
  _taskresults_reply local UTC "${zones[@]}"
}

_taskresults_commands() {
  local commands
  mapfile -t commands < <("$program" help 2>/dev/null | awk '/^Commands:/ {on = 1; next} on {print $1}')
  _taskresults_reply "${commands[@]}"
}

# _taskresults_option - completes an option or its value; false if the word is an argument.
_taskresults_option() {
  local options option=${COMP_WORDS[COMP_CWORD - 1]}
  [[ $option != --heads || $command == verify ]] || option='' # of seal, it takes no value
  case $option in
    --map) _taskresults_reply native openclaw runs gitlab n8n @; return ;;
    --format) _taskresults_reply csv tsv json jsonl; return ;;
    --by) _taskresults_reply hour day month weekday hour-of-day; return ;;
    --sort) _taskresults_reply name runs rate last streak; return ;;
    --mode) _taskresults_reply box list csv json line column markdown table quote tabs html insert ascii; return ;;
    --of) _taskresults_reply uptime success both; return ;;
    --count) [[ $command != sla ]] || { _taskresults_reply missed; return; } ;;
    --lock) _taskresults_reply skip wait; return ;;
    --ping) _taskresults_reply env @; return ;;
    --tz) _taskresults_zones; return ;;
    --hosts) compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
    --window) _taskresults_reply 24h 7d 30d 90d; return ;;
    --job) _taskresults_jobs "$word"; _taskresults_reply "${found[@]}"; return ;;
    --preset) _taskresults_reply hermes openclaw openclaw-2026.6; return ;;
    -o | --output | --db | --state | --policy | --from | --config | --sign | --heads | --allowed-signers)
      compopt -o default 2>/dev/null
      COMPREPLY=()
      return
      ;;
    --limit | --min | --max-chars | --since | --until | --interval | --columns | --delimiter) COMPREPLY=(); return ;;
    --keep | --keep-failures | --max-bytes | --head | --name | --timeout | --jitter) COMPREPLY=(); return ;;
    --within | --days | --title | --refresh) COMPREPLY=(); return ;;
    --target | --after | --rate | --silent-for | --grace | --cooldown | --for | --burn) COMPREPLY=(); return ;;
    --maintenance | --suspicious | --exec | --exec-timeout | --max-duration | --grep | --query) COMPREPLY=(); return ;;
  esac
  [[ $word == -* ]] || return 1
  mapfile -t options < <("$program" help "$command" 2>/dev/null |
    LC_ALL=C sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p')
  _taskresults_reply "${options[@]}" --help --color{,=auto,=always,=never}
}

# _taskresults_argument - completes a job; or, after run's --, a command and its files.
_taskresults_argument() {
  local i
  COMPREPLY=()
  if [[ $command == run && -n $dashed ]]; then
    compopt -o bashdefault -o default 2>/dev/null
    return
  fi
  case $command in
    view | next | stats | errors | rejects | export | follow | prune | seal | verify | run | sla | alerts)
      _taskresults_jobs "$word"
      # Behind -- only: elsewhere it would be an option.
      [[ -n $dashed ]] || for i in "${!found[@]}"; do [[ ${found[i]} != -* ]] || unset "found[i]"; done
      [[ $command != alerts ]] || ((COMP_CWORD > 2)) || found+=(mute unmute)
      _taskresults_reply "${found[@]}"
      ;;
  esac
}

complete -F _taskresults taskresults view_results
