/*
** slots.c - a job's schedule, runs and log -> the state of each slot.
**
** A slot lasts until the next one, and takes the first run that begins in it. Times of cron are fixed. An interval
** counts from the last event after which the scheduler computes the next run: the end of a run, a run by hand, a skip,
** a resume, a change of the schedule. (Not from the start of a run: the scheduler runs the job, and then adds the
** interval to the current time.) So a slot of an interval ends at the next such event, even in the middle of the
** interval.
**
** One forward pass: runs, turns and slots are sorted by time, and each index moves only forward.
*/
#include "scheduler.h"

#define LAST_SLOT_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */
#define LONGEST_GRACE_US (300 * TR_US_PER_SECOND)

/* --- runs by hand, changes ---------------------------------------------------------------------------------------- */

/* Marks the first run that begins at or after each request for a run by hand. */
static void mark_runs_by_hand(TrSlotJob *job) {
  size_t run = 0;
  for (size_t i = 0; i < job->log->count; i++) {
    if (job->log->turn[i].kind != TR_TURN_BY_HAND) continue;
    while (run < job->run_count && job->run[run].start_us < job->log->turn[i].time_us) run++;
    if (run < job->run_count) job->run[run].is_by_hand = true;
  }
}

/* The last change of the schedule; INT64_MIN: none. */
static int64_t last_change_us(const TrJobLog *log) {
  for (size_t i = log->count; i-- > 0;) {
    if (log->turn[i].kind == TR_TURN_CHANGED) return log->turn[i].time_us;
  }
  return INT64_MIN;
}

/* --- intervals ---------------------------------------------------------------------------------------------------- */

/* An event at at_us, from which an interval counts. */
typedef struct Anchor {
  int64_t at_us, from_us; /* from_us INT64_MAX: nothing is due before the event has ended */
  bool is_run;
} Anchor;

static bool is_anchor_turn(const TrTurn *turn) {
  return turn->kind == TR_TURN_BY_HAND || turn->kind == TR_TURN_RESUMED || turn->kind == TR_TURN_SKIPPED ||
         turn->kind == TR_TURN_CHANGED;
}

static bool is_anchor_run(const TrSlotRun *run) {
  return !run->is_by_hand && run->kind != TR_RUN_CUT_SHORT;
}

/* False: there is none. The anchor stays the next one until it is passed. */
static bool find_next_anchor(TrSlots *slots, Anchor *anchor) {
  const TrSlotJob *job = slots->job;
  const TrTurn *turn = job->log->turn;
  while (slots->next_run < job->run_count && !is_anchor_run(&job->run[slots->next_run])) slots->next_run++;
  while (slots->next_turn < job->log->count && !is_anchor_turn(&turn[slots->next_turn])) slots->next_turn++;
  const TrSlotRun *run = slots->next_run < job->run_count ? &job->run[slots->next_run] : NULL;
  turn = slots->next_turn < job->log->count ? &turn[slots->next_turn] : NULL;
  if (run == NULL && turn == NULL) return false;
  anchor->is_run = turn == NULL || (run && run->start_us < turn->time_us);
  anchor->at_us = anchor->is_run ? run->start_us : turn->time_us;
  anchor->from_us = anchor->at_us;
  if (anchor->is_run) anchor->from_us = run->kind == TR_RUN_GOING_ON ? INT64_MAX : run->finish_us;
  return true;
}

static void count_from(TrSlots *slots, int64_t from_us) {
  if (__builtin_add_overflow(from_us, slots->job->schedule.interval_us, &slots->next_us)) slots->next_us = INT64_MAX;
}

static void pass_anchor(TrSlots *slots, const Anchor *anchor) {
  slots->next_run += anchor->is_run;
  slots->next_turn += !anchor->is_run;
  count_from(slots, anchor->from_us);
}

static void begin_interval(TrSlots *slots) {
  const TrSlotJob *job = slots->job;
  while (slots->next_run < job->run_count && job->run[slots->next_run].start_us < job->created_us) slots->next_run++;
  while (slots->next_turn < job->log->count && job->log->turn[slots->next_turn].time_us < job->created_us)
    slots->next_turn++;
  bool is_changed = !job->is_recurring && slots->changed_us > job->created_us;
  count_from(slots, is_changed ? slots->changed_us : job->created_us);
}

static int64_t lesser(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* The next slot at or after from_us. */
static bool next_of_interval(TrSlots *slots, int64_t from_us, int64_t *slot_us) {
  int64_t interval_us = slots->job->schedule.interval_us;
  Anchor anchor;
  for (;;) {
    bool is_any = slots->job->is_recurring && find_next_anchor(slots, &anchor);
    int64_t anchor_us = is_any ? anchor.at_us : INT64_MAX;
    if (slots->next_us > anchor_us) {
      pass_anchor(slots, &anchor);
      continue;
    }
    if (slots->next_us > LAST_SLOT_US || from_us > LAST_SLOT_US) return false;
    int64_t before_us = lesser(from_us, anchor_us);
    if (before_us > slots->next_us && slots->job->is_recurring) {
      slots->next_us += (before_us - slots->next_us) / interval_us * interval_us;
    }
    *slot_us = slots->next_us;
    count_from(slots, *slot_us);
    slots->end_us = lesser(slots->next_us, is_any ? anchor_us + 1 : INT64_MAX);
    slots->grace_us = lesser(LONGEST_GRACE_US, interval_us / 10);
    if (slots->job->is_recurring) {
      if (*slot_us >= from_us) return true;
      continue;
    }
    slots->next_us = slots->end_us = INT64_MAX;
    slots->grace_us = LONGEST_GRACE_US;
    return *slot_us >= from_us;
  }
}

/* --- fixed times -------------------------------------------------------------------------------------------------- */

static void begin_fixed(TrSlots *slots, int64_t from_us) {
  const TrSlotJob *job = slots->job;
  bool is_later = job->is_recurring && from_us > job->created_us;
  tr_schedule_times_begin(&slots->times, &job->schedule, job->zone, is_later ? from_us - 1 : job->created_us);
  if (!tr_schedule_times_next(&slots->times, &slots->following_us)) slots->following_us = INT64_MAX;
}

static bool next_fixed(TrSlots *slots, int64_t from_us, int64_t *slot_us) {
  *slot_us = slots->following_us;
  if (*slot_us == INT64_MAX) return false;
  if (!slots->job->is_recurring || !tr_schedule_times_next(&slots->times, &slots->following_us))
    slots->following_us = INT64_MAX;
  slots->end_us = slots->following_us;
  slots->grace_us = LONGEST_GRACE_US;
  if (slots->end_us != INT64_MAX) slots->grace_us = lesser(LONGEST_GRACE_US, (slots->end_us - *slot_us) / 10);
  return *slot_us >= from_us;
}

/* --- states ------------------------------------------------------------------------------------------------------- */

/* The run that the slot takes: the first that came to an end; or else the one that is going on, or one that was cut
** short. NULL: none. */
static const TrSlotRun *find_run(TrSlots *slots, int64_t slot_us) {
  const TrSlotJob *job = slots->job;
  const TrSlotRun *other = NULL;
  while (slots->run_at < job->run_count && job->run[slots->run_at].start_us < slot_us) slots->run_at++;
  for (size_t i = slots->run_at; i < job->run_count && job->run[i].start_us < slots->end_us; i++) {
    const TrSlotRun *run = &job->run[i];
    if (run->is_by_hand) continue;
    if (run->kind == TR_RUN_OF_RECORD || run->kind == TR_RUN_OF_LOG) return run;
    if (other == NULL || other->kind == TR_RUN_CUT_SHORT) other = run;
  }
  return other;
}

static const TrTurn *find_skip(TrSlots *slots, int64_t slot_us) {
  const TrJobLog *log = slots->job->log;
  while (slots->skip_at < log->count &&
         (log->turn[slots->skip_at].time_us < slot_us || log->turn[slots->skip_at].kind != TR_TURN_SKIPPED))
    slots->skip_at++;
  bool is_there = slots->skip_at < log->count && log->turn[slots->skip_at].time_us < slots->end_us;
  return is_there ? &log->turn[slots->skip_at] : NULL;
}

bool tr_slot_set(TrSlot *slot, TrSlotState state, TrSlotReason reason, int64_t reason_us) {
  slot->state = state;
  slot->reason = reason;
  slot->reason_us = reason_us;
  return true;
}

static bool judge_run(TrSlot *slot, const TrSlotRun *run, int64_t grace_us) {
  if (run == NULL || run->kind == TR_RUN_CUT_SHORT) return false;
  slot->run = run;
  if (run->kind == TR_RUN_GOING_ON) return tr_slot_set(slot, TR_SLOT_PENDING, TR_SLOT_IS_RUNNING, run->start_us);
  TrSlotState state = run->start_us - slot->slot_us <= grace_us ? TR_SLOT_RAN : TR_SLOT_LATE;
  return tr_slot_set(slot, state, run->kind == TR_RUN_OF_LOG ? TR_SLOT_NO_RECORD : TR_SLOT_PLAIN, 0);
}

static bool judge_skip(TrSlot *slot, const TrJobLog *log, const TrTurn *skip) {
  if (skip == NULL) return false;
  slot->reason_words = log->words + skip->words;
  return tr_slot_set(slot, TR_SLOT_SKIPPED, TR_SLOT_WORDS, skip->time_us);
}

/* True if the job has records, but neither they nor the log go back to the slot. */
static bool is_too_old(const TrSlotJob *job, int64_t slot_us) {
  bool log_goes_back = !job->log->is_empty && job->log->first_us <= slot_us;
  return job->earliest_us != INT64_MAX && slot_us < job->earliest_us && !log_goes_back;
}

static void judge(TrSlots *slots, TrSlot *slot) {
  const TrSlotJob *job = slots->job;
  int64_t over_us, grace_us = job->grace_us >= 0 ? job->grace_us : slots->grace_us;
  const TrSlotRun *run = find_run(slots, slot->slot_us);
  const TrTurn *skip = find_skip(slots, slot->slot_us);
  if (slot->slot_us < slots->changed_us) {
    tr_slot_set(slot, TR_SLOT_UNKNOWN, TR_SLOT_CHANGED_AT, slots->changed_us);
    return;
  }
  if (judge_run(slot, run, grace_us) || judge_skip(slot, job->log, skip) || tr_pauses_judge(&slots->pauses, slot))
    return;
  if (__builtin_add_overflow(slot->slot_us, grace_us, &over_us)) over_us = INT64_MAX;
  if (is_too_old(job, slot->slot_us)) {
    tr_slot_set(slot, TR_SLOT_UNKNOWN, TR_SLOT_TOO_OLD, 0);
  } else if (job->now_us <= over_us) {
    tr_slot_set(slot, TR_SLOT_PENDING, slot->slot_us > job->now_us ? TR_SLOT_TO_COME : TR_SLOT_IN_GRACE, over_us);
  } else if (run) {
    tr_slot_set(slot, TR_SLOT_MISSED, TR_SLOT_RUN_CUT, run->start_us);
  } else {
    tr_slot_set(slot, TR_SLOT_MISSED, TR_SLOT_PLAIN, 0);
  }
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

void tr_slots_begin(TrSlots *slots, TrSlotJob *job, int64_t from_us) {
  *slots = (TrSlots){.job = job, .from_us = from_us, .changed_us = last_change_us(job->log)};
  mark_runs_by_hand(job);
  tr_pauses_begin(&slots->pauses, job);
  if (job->schedule.interval_us) {
    begin_interval(slots);
  } else {
    begin_fixed(slots, from_us);
  }
}

bool tr_slots_next(TrSlots *slots, TrSlot *slot) {
  *slot = (TrSlot){0};
  bool is_interval = slots->job->schedule.interval_us > 0;
  bool is_there = is_interval ? next_of_interval(slots, slots->from_us, &slot->slot_us)
                              : next_fixed(slots, slots->from_us, &slot->slot_us);
  if (is_there) judge(slots, slot);
  return is_there;
}

/* The window that is looked into doubles, so this takes as long as the slots of the last one. */
int64_t tr_slots_look_back(const TrSlotJob *job, int64_t wanted, int64_t from_us, int64_t to_us) {
  int64_t back_us = 3600 * TR_US_PER_SECOND, start_us, due_us, intervals;
  int64_t least_us = from_us > job->created_us ? from_us : job->created_us;
  const TrSchedule *schedule = &job->schedule;
  if (!job->is_recurring || (schedule->interval_us == 0 && !tr_cron_has_any_day(&schedule->cron))) return from_us;
  if (schedule->interval_us) {
    bool is_far = __builtin_add_overflow(wanted, 1, &intervals) ||
                  __builtin_mul_overflow(intervals, schedule->interval_us, &back_us) ||
                  __builtin_sub_overflow(to_us, back_us, &start_us);
    return is_far || start_us < from_us ? from_us : start_us;
  }
  for (; !__builtin_sub_overflow(to_us, back_us, &start_us) && start_us > least_us; back_us *= 2) {
    TrScheduleTimes times;
    int64_t count = 0;
    tr_schedule_times_begin(&times, schedule, job->zone, start_us - 1);
    while (count < wanted && tr_schedule_times_next(&times, &due_us) && due_us <= to_us) count++;
    if (count == wanted) return start_us;
    if (back_us > INT64_MAX / 4) break;
  }
  return from_us;
}
