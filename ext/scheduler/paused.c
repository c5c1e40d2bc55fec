/*
** paused.c - is a job paused? Now, as jobs.json says; and at the time of a slot, as its log and its runs show.
**
** Signs are: `Job paused`, `Job resumed`, `Updated: ['enabled']` (the log does not tell the new value), and a run that
** the schedule began, since a paused job has none. The last sign before the slot counts. After the last sign of all,
** the job's state of today must agree with it: if not, somebody changed jobs.json, and nobody knows when.
*/
#include "scheduler.h"

/* A job without `enabled` is enabled, as for the scheduler. */
bool tr_jobs_is_enabled(const TrJobs *jobs, size_t i) {
  const TrJson *enabled = tr_json_member(jobs->job[i], "enabled");
  return enabled == NULL || tr_json_is_truthy(enabled);
}

static bool is_sign_turn(const TrTurn *turn) {
  return turn->kind == TR_TURN_PAUSED || turn->kind == TR_TURN_RESUMED || turn->kind == TR_TURN_SCHEDULED ||
         turn->kind == TR_TURN_ENABLED;
}

/* A run by hand shows nothing; nor does one whose start is only guessed, since the log does not have it. */
static bool is_sign_run(const TrSlotRun *run) {
  return run->is_logged && !run->is_by_hand;
}

void tr_pauses_begin(TrPauses *pauses, const TrSlotJob *job) {
  *pauses = (TrPauses){.job = job, .sign = TR_TURN_SCHEDULED, .sign_us = INT64_MIN, .last_sign_us = INT64_MIN};
  for (size_t i = job->log->count; i-- > 0;) {
    if (!is_sign_turn(&job->log->turn[i])) continue;
    pauses->last_sign_us = job->log->turn[i].time_us;
    break;
  }
  for (size_t i = job->run_count; i-- > 0;) {
    if (!is_sign_run(&job->run[i])) continue;
    if (job->run[i].start_us > pauses->last_sign_us) pauses->last_sign_us = job->run[i].start_us;
    break;
  }
}

/* Finds the last sign at or before the slot; of two at the same time, the run counts. */
static void find_sign(TrPauses *pauses, int64_t slot_us) {
  const TrJobLog *log = pauses->job->log;
  const TrSlotRun *run = pauses->job->run;
  int64_t run_us = INT64_MIN, turn_us = INT64_MIN;
  uint8_t kind = TR_TURN_SCHEDULED;
  for (; pauses->turn_at < log->count && log->turn[pauses->turn_at].time_us <= slot_us; pauses->turn_at++) {
    const TrTurn *turn = &log->turn[pauses->turn_at];
    if (is_sign_turn(turn)) turn_us = turn->time_us, kind = turn->kind;
  }
  for (; pauses->run_at < pauses->job->run_count && run[pauses->run_at].start_us <= slot_us; pauses->run_at++) {
    if (is_sign_run(&run[pauses->run_at])) run_us = run[pauses->run_at].start_us;
  }
  if (turn_us > pauses->sign_us && turn_us > run_us) {
    pauses->sign_us = turn_us;
    pauses->sign = kind;
  } else if (run_us >= pauses->sign_us && run_us != INT64_MIN) {
    pauses->sign_us = run_us;
    pauses->sign = TR_TURN_SCHEDULED;
  }
}

bool tr_pauses_judge(TrPauses *pauses, TrSlot *slot) {
  bool is_enabled = pauses->job->is_enabled, is_last = pauses->last_sign_us <= slot->slot_us;
  find_sign(pauses, slot->slot_us);
  switch (pauses->sign) {
  case TR_TURN_ENABLED:
    if (!is_last) return tr_slot_set(slot, TR_SLOT_UNKNOWN, TR_SLOT_ENABLED_SET, pauses->sign_us);
    return is_enabled ? false : tr_slot_set(slot, TR_SLOT_PAUSED, TR_SLOT_PAUSED_AT, pauses->sign_us);
  case TR_TURN_PAUSED:
    if (is_last && is_enabled) return tr_slot_set(slot, TR_SLOT_UNKNOWN, TR_SLOT_IS_ENABLED, 0);
    return tr_slot_set(slot, TR_SLOT_PAUSED, TR_SLOT_PAUSED_AT, pauses->sign_us);
  default: return is_last && !is_enabled ? tr_slot_set(slot, TR_SLOT_UNKNOWN, TR_SLOT_DISABLED, 0) : false;
  }
}
