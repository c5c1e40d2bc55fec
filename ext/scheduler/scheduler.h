/*
** scheduler.h - what the scheduler keeps beside the results: logs, jobs.json, checkpoints.
*/
#ifndef TR_SCHEDULER_H
#define TR_SCHEDULER_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/messages.c - the lines of a log -> its messages, each with the lines that belong to it
** scheduler/event.c - the event that a message reports */
typedef struct TrMessages {
  TrLines *lines;      /* borrowed: open, in the direction in which messages are wanted */
  unsigned char *text; /* owned: the current message, at most lines->max_line bytes of it */
  size_t held, room;
  TrLine pushed_back;       /* forwards: the line that begins the current message (and ended the previous one) */
  size_t pushed_back_stamp; /* the length of its timestamp */
  bool has_pushed_back;
} TrMessages;

/* Borrowed, like its line, until the next message is read. */
typedef struct TrMessage {
  TrLine line;  /* all its lines; `length` is their length in the file. `too_long`: `text` has not all of it */
  uint64_t cut; /* the bytes missing in `text` */
  TrSpan
      timestamp; /* in `line`. TR_ABSENT: lines before the first timestamp, or, from elsewhere on, none begins there */
  TrBytes words; /* after the timestamp, as far as `text` goes */
} TrMessage;

/* Call order: open (the lines may be opened later), next until SQLITE_DONE, close. A zeroed one is a valid closed
** one. */
void tr_messages_open(TrMessages *messages, TrLines *lines);
TR_CHECKED int tr_messages_next(TrMessages *messages, TrMessage *message); /* as tr_lines_next() */
void tr_messages_close(TrMessages *messages);

typedef enum TrEvent {
  TR_EVENT_SCHEDULED,
  TR_EVENT_STARTED,
  TR_EVENT_SUCCEEDED,
  TR_EVENT_FAILED,
  TR_EVENT_TIMED_OUT,
  TR_EVENT_EXCEPTION,
  TR_EVENT_NOTIFIED,
  TR_EVENT_NOTIFY_FAILED,
  TR_EVENT_NOTIFY_SKIPPED,
  TR_EVENT_PAUSED,
  TR_EVENT_RESUMED,
  TR_EVENT_DELETED,
  TR_EVENT_UPDATED,
  TR_EVENT_MANUAL_RUN,
  TR_EVENT_SKIPPED,
  TR_EVENT_OTHER,
  TR_EVENT_COUNT
} TrEvent;

TrEvent tr_event_of(const char *words, size_t length); /* a message without its timestamp */
const char *tr_event_name(TrEvent event);              /* static */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/json_file.c - a small JSON file that others rewrite in place -> its values
** scheduler/jobs_file.c - jobs.json -> the jobs that the scheduler knows
** scheduler/checkpoint.c - is a job running?
*/
typedef struct TrJson TrJson; /* a value; tr_json_free() frees the whole tree */

/* Retries for `patience_ms` while the file does not parse, or changes during the read. `flags` are added for open().
** SQLITE_NOTFOUND: the file is missing. SQLITE_CORRUPT: it still does not parse. *message has the cause, without the
** name. */
TR_CHECKED int tr_json_load(int dirfd, const char *name, int flags, int patience_ms, TrPoll *poll, TrJson **root,
                            char **message);
/* A text in memory. SQLITE_CORRUPT: it is not JSON, and *message has the cause. */
TR_CHECKED int tr_json_parse(const char *text, size_t length, TrJson **root, char **message);
void tr_json_free(TrJson *root); /* all of these but first and next allow NULL */
bool tr_json_is_object(const TrJson *value);
bool tr_json_is_array(const TrJson *value);
bool tr_json_is_bool(const TrJson *value);
const TrJson *tr_json_member(const TrJson *object,
                             const char *key);     /* the last of that name; NULL: none, or not an object */
const TrJson *tr_json_first(const TrJson *array);  /* of an object, too; NULL: it is empty */
const TrJson *tr_json_next(const TrJson *element); /* NULL: that was the last */
const char *tr_json_text(const TrJson *value);     /* NULL: not a string. Lives as long as the tree */
const char *tr_json_key(const TrJson *member);     /* of an object's member, as first and next give them */
bool tr_json_number(const TrJson *value, double *number);
bool tr_json_integer(const TrJson *value, int64_t *number);                /* below 2^53 */
bool tr_json_count(const TrJson *object, const char *key, int64_t *count); /* a member; not negative */
bool tr_json_is_truthy(const TrJson *value);                               /* as Python's bool() */
void tr_json_result(sqlite3_context *context, const TrJson *value);        /* as json_extract() would */
void tr_json_result_source(sqlite3_context *context, const TrJson *value); /* as JSON */
TR_CHECKED int tr_json_append_source(sqlite3_str *out, const TrJson *value);

typedef struct TrJobs {
  TrJson *root;       /* owned */
  const TrJson **job; /* owned: the elements of "jobs" */
  size_t count;
  int state_fd; /* owned, from tr_locate_dir(): the file's directory */
} TrJobs;

const char *tr_jobs_path(const char *path); /* NULL: the environment's, or the default. Borrowed, as tr_environment() */
/* On failure nothing is owned. */
TR_CHECKED int tr_jobs_load(TrJobs *jobs, const char *path, TrPoll *poll, char **message);
void tr_jobs_free(TrJobs *jobs);
const char *tr_jobs_id(const TrJobs *jobs, size_t i); /* NULL: it has no id that is a text */
bool tr_jobs_time_us(const TrJobs *jobs, size_t i, const char *key, int64_t *time_us);

typedef enum TrRun {
  TR_RUN_NONE,  /* no checkpoint */
  TR_RUN_ALIVE, /* its process is running */
  TR_RUN_DEAD,  /* its process is gone, or it names none */
} TrRun;

#define TR_UNKNOWN_US INT64_MIN
/* TR_RUN_ALIVE: *started_us is its start, or TR_UNKNOWN_US. */
TR_CHECKED int tr_checkpoint_look(int state_fd, const char *job_id, TrPoll *poll, TrRun *run, int64_t *started_us,
                                  char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/durations.c - starts and finishes in a log -> the start of the run that ended at a given time
*/
#define TR_UNFINISHED_US INT64_MIN /* the log has no finish */

typedef struct TrTimedRun {
  int64_t start_us, finish_us; /* as the log has them */
} TrTimedRun;

typedef struct TrDurations {
  TrTimedRun *run; /* owned; after end(): `count` runs in the order of finish_us, then those without a finish */
  size_t count, room;
  size_t unfinished;  /* after end(): the number of runs without a finish */
  int64_t finish_us;  /* while messages are added: the finish of the run whose start comes next */
  bool finish_known;  /* finish_us is set */
  bool executing;     /* the previous message was `Executing (...)` */
  bool finishes_told; /* this log has at least one finish */
} TrDurations;

/* Call order: begin, add for each message with a time, newest first, end, find, free. A zeroed one is a valid freed
** one, and begin() may follow at any point. */
void tr_durations_begin(TrDurations *durations);
TR_CHECKED int tr_durations_add(TrDurations *durations, TrEvent event, TrBytes words, int64_t time_us);
bool tr_durations_are_full(const TrDurations *durations); /* no need to add more */
void tr_durations_end(TrDurations *durations);
bool tr_durations_find(const TrDurations *durations, int64_t time_us, size_t *which); /* of `run` */
void tr_durations_free(TrDurations *durations);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/cron.c - the five fields of a cron expression -> the minutes, hours and days that it names
*/
#define TR_LAST_DAY 1u /* bit 0 of `days` stands for the last day of a month, as there is no day 0 */

typedef struct TrCron {
  uint64_t minutes;             /* bit n: minute n; and so on */
  uint32_t hours, days, months; /* days and months from 1 on */
  uint32_t weekdays;            /* 0: Sunday */
  bool any_day, any_weekday;    /* the field asks for nothing: see cron.c */
} TrCron;

/* SQLITE_OK; SQLITE_MISMATCH if it is not understood, with the reason in *cause; or SQLITE_NOMEM. */
TR_CHECKED int tr_cron_parse(const char *text, size_t length, TrCron *cron, char **cause);
bool tr_cron_has_any_day(const TrCron *cron); /* false: it is never due, as on 30 February */
bool tr_cron_has_day(const TrCron *cron, int64_t day, int year, int month, int day_of_month);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/schedule.c - a schedule as jobs.json has it -> what it means
*/
typedef struct TrSchedule {
  int64_t interval_us; /* of `every N unit` and `in N unit`; 0: `cron` counts */
  bool is_single;      /* `in N unit`: once, unless the job is recurring */
  TrCron cron;
} TrSchedule;

TR_CHECKED int tr_schedule_parse(const char *text, size_t length, TrSchedule *schedule, char **cause); /* as above */
TR_CHECKED int tr_schedule_of_job(const TrJson *job, TrSchedule *schedule, char **cause);              /* as above */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/schedule_times.c - a schedule, and a time to begin with -> the times at which it is due
*/
typedef struct TrScheduleTimes {
  const TrSchedule *schedule; /* borrowed */
  const TrZone *zone;         /* borrowed: the zone of `cron`; NULL: UTC */
  int64_t last_us;            /* the last time returned, or the start time */
  TrStretch stretch;          /* of the zone, around the current minute */
  int64_t day;                /* the current day in the zone: days since 1970 */
  int year, month, day_of_month;
  uint32_t hours;   /* the hours of that day still to come */
  uint64_t minutes; /* the minutes of the first of these hours; all 0 before the first day */
} TrScheduleTimes;

void tr_schedule_times_begin(TrScheduleTimes *times, const TrSchedule *schedule, const TrZone *zone, int64_t after_us);
bool tr_schedule_times_next(TrScheduleTimes *times,
                            int64_t *due_us); /* the next one after `after_us`; false: none up to the year 9999 */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/job_log.c - the messages of a job's log -> its runs, and the events that affect its schedule
*/
typedef enum TrTurnKind {
  TR_TURN_PAUSED,
  TR_TURN_RESUMED,
  TR_TURN_SCHEDULED, /* created, and enabled */
  TR_TURN_ENABLED,   /* `enabled` was updated; the log does not tell the new value */
  TR_TURN_CHANGED,   /* an update of the schedule */
  TR_TURN_BY_HAND,   /* a run by hand was requested */
  TR_TURN_SKIPPED,
} TrTurnKind;

typedef struct TrTurn {
  int64_t time_us;
  uint32_t words; /* SKIPPED: offset of its words in TrJobLog.words; NUL-terminated */
  uint8_t kind;   /* TrTurnKind */
} TrTurn;

typedef struct TrJobLog {
  TrDurations durations;
  TrTurn *turn; /* owned; after end(), in the order of time_us */
  size_t count, room;
  char *words; /* owned */
  size_t words_count, words_room;
  bool is_empty;      /* no message with a time */
  int64_t first_us;   /* the earliest time in it, as far as it was read */
  int64_t horizon_us; /* older events are not needed, */
  size_t older_runs;  /* but the number of runs that began before it, */
  bool knows_enabled; /* and whether the job was enabled at that time: known if set */
  bool asked_by_hand; /* a run by hand was requested after the run that is read next */
} TrJobLog;

/* Call order: begin, add for each message with a time, newest first, until it is enough, end; free. A zeroed one is a
** valid freed one, and begin() may follow at any point. SQLITE_TOOBIG: the log has too many events. */
void tr_job_log_begin(TrJobLog *log, int64_t horizon_us);
TR_CHECKED int tr_job_log_add(TrJobLog *log, TrBytes words, int64_t time_us);
bool tr_job_log_is_enough(const TrJobLog *log);
void tr_job_log_end(TrJobLog *log);
void tr_job_log_free(TrJobLog *log);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/slots.c - a job's schedule, runs and log -> the state of each slot
*/
typedef enum TrSlotRunKind {
  TR_RUN_OF_RECORD,
  TR_RUN_OF_LOG, /* the log has its end, but there is no record */
  TR_RUN_GOING_ON,
  TR_RUN_CUT_SHORT, /* neither the log nor a record has its end */
} TrSlotRunKind;

typedef struct TrSlotRun {
  int64_t start_us, finish_us; /* finish_us: of the first two kinds */
  int64_t offset;              /* OF_RECORD: of its line */
  bool ok;                     /* OF_RECORD: a success? */
  bool is_unknown;             /* OF_RECORD: neither a success nor a failure, under a mapping */
  bool is_logged;              /* start_us is from the log */
  bool is_by_hand;
  uint8_t kind; /* TrSlotRunKind */
} TrSlotRun;

typedef enum TrSlotState {
  TR_SLOT_RAN,
  TR_SLOT_LATE,
  TR_SLOT_MISSED,
  TR_SLOT_PAUSED,
  TR_SLOT_SKIPPED,
  TR_SLOT_PENDING,
  TR_SLOT_UNKNOWN,
} TrSlotState;

typedef enum TrSlotReason {
  TR_SLOT_PLAIN,       /* no further reason */
  TR_SLOT_NO_RECORD,   /* RAN, LATE: of the run */
  TR_SLOT_RUN_CUT,     /* MISSED: a run that began at reason_us left no record */
  TR_SLOT_PAUSED_AT,   /* PAUSED: since reason_us */
  TR_SLOT_WORDS,       /* SKIPPED: reason_words */
  TR_SLOT_TO_COME,     /* PENDING */
  TR_SLOT_IN_GRACE,    /* PENDING: until reason_us */
  TR_SLOT_IS_RUNNING,  /* PENDING: since reason_us */
  TR_SLOT_CHANGED_AT,  /* UNKNOWN: the schedule was changed at reason_us */
  TR_SLOT_ENABLED_SET, /* UNKNOWN: `enabled` was updated at reason_us, to an unknown value */
  TR_SLOT_DISABLED,    /* UNKNOWN: not enabled, since an unknown time */
  TR_SLOT_IS_ENABLED,  /* UNKNOWN: enabled again, since an unknown time */
  TR_SLOT_TOO_OLD,     /* UNKNOWN: neither records nor log go back so far */
} TrSlotReason;

typedef struct TrSlot {
  int64_t slot_us;
  const TrSlotRun *run; /* NULL: none */
  int64_t reason_us;
  const char *reason_words;
  TrSlotState state;
  TrSlotReason reason;
} TrSlot;

/* All that is known about a job. Borrowed. */
typedef struct TrSlotJob {
  TrSchedule schedule;
  const TrZone *zone;
  bool is_recurring, is_enabled;
  int64_t created_us, now_us;
  int64_t grace_us; /* negative: the default */
  TrSlotRun *run;   /* in the order of their start */
  size_t run_count;
  const TrJobLog *log;
  int64_t earliest_us; /* time of the earliest record; INT64_MAX: no records */
} TrSlotJob;

/* Returns true, so that a caller can say `return tr_slot_set(...)`. */
bool tr_slot_set(TrSlot *slot, TrSlotState state, TrSlotReason reason, int64_t reason_us);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/paused.c - is a job paused: now, and at the time of a slot?
*/
bool tr_jobs_is_enabled(const TrJobs *jobs, size_t i); /* now */

typedef struct TrPauses {
  const TrSlotJob *job;   /* borrowed */
  size_t turn_at, run_at; /* the first ones after the slot that may be signs */
  int64_t sign_us;        /* the last sign before it; INT64_MIN: none, and the job was created enabled */
  uint8_t sign;           /* TrTurnKind */
  int64_t last_sign_us;   /* the last of all */
} TrPauses;

/* For slots in the order of their times. */
void tr_pauses_begin(TrPauses *pauses, const TrSlotJob *job);
/* False if the job was surely enabled at the slot; else sets the slot's state, and returns true. */
bool tr_pauses_judge(TrPauses *pauses, TrSlot *slot);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/slots.c - the job again -> its slots
*/
typedef struct TrSlots {
  const TrSlotJob *job;       /* borrowed */
  int64_t changed_us;         /* the last change of the schedule; INT64_MIN: none */
  int64_t from_us;            /* earlier slots are not wanted */
  int64_t end_us;             /* end of the current slot: runs that begin then or later belong to the next */
  int64_t grace_us;           /* of the current slot, by default */
  TrScheduleTimes times;      /* fixed times: */
  int64_t following_us;       /* the next slot; INT64_MAX: there is none */
  int64_t next_us;            /* interval: the next slot, unless an event comes first; INT64_MAX: none */
  size_t next_run, next_turn; /* the events that may come first */
  size_t run_at, skip_at;     /* the first ones at or after the current slot */
  TrPauses pauses;
} TrSlots;

/* Gives the slots from `from_us` on, in order, up to the year 9999. Marks the runs by hand. */
void tr_slots_begin(TrSlots *slots, TrSlotJob *job, int64_t from_us);
bool tr_slots_next(TrSlots *slots, TrSlot *slot); /* false: there are no more */
/* From where on there are `wanted` slots up to to_us, but not before from_us: surely at fixed times, else as a rule. */
int64_t tr_slots_look_back(const TrSlotJob *job, int64_t wanted, int64_t from_us, int64_t to_us);

#pragma GCC visibility pop
#endif /* TR_SCHEDULER_H */
