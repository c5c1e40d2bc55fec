# target.bash - what `sla` compares with.

# shellcheck shell=bash

# 100 % in millionths of a percent: percentages are integers, so that a target is compared exactly.
WHOLE=100000000

# set_target - sets `target`, SQL: a job's target in these units, or NULL; and `missed`, SQL: whether a job misses it.
set_target() {
  local digits
  target=NULL
  if [[ -v opt[target] ]]; then
    [[ ${opt[target]} =~ ^0*([0-9]{1,3})(\.([0-9]{1,6})0*)?%?$ ]] ||
      usage_error "--target wants a percentage, not '${opt[target]}'"
    digits=${BASH_REMATCH[3]}000000
    target=$((10#${BASH_REMATCH[1]} * 1000000 + 10#${digits:0:6}))
    ((target > 0 && target <= WHOLE)) || usage_error "--target wants a percentage up to 100, not '${opt[target]}'"
  fi
  if [[ -v opt[policy] ]]; then
    [[ ! -v opt[target] ]] || usage_error '--target or --policy, not both'
    load lib/sql_text
    target="taskresults_policy($(sql_text "${opt[policy]}"), $own_job)->>'\$.rule.target'"
    target="CAST(round(1e6 * ($target)) AS INTEGER)"
  fi
  [[ ! -v opt[count] || ${opt[count]} == missed ]] || usage_error "--count wants missed, not '${opt[count]}'"
  case ${opt[of]-both} in
    both) missed='time_missed OR runs_missed' ;;
    uptime) missed='time_missed' ;;
    success) missed='runs_missed' ;;
    *) usage_error "--of wants uptime, success or both, not '${opt[of]}'" ;;
  esac
}
