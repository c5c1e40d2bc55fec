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
** scheduler/event.c - what a message tells of
*/
typedef struct TrMessages {
  TrLines *lines;      /* borrowed: open, in the direction in which messages are wanted */
  unsigned char *text; /* owned: the current message, as far as it is held: at most lines->max_line bytes */
  size_t held, room;
  TrLine pushed_back;       /* forwards: the line that ended the message before, and begins the current one */
  size_t pushed_back_stamp; /* the length of its timestamp */
  bool has_pushed_back;
} TrMessages;

/* Borrows, as its line does: until the next one is read. */
typedef struct TrMessage {
  TrLine line;  /* several lines; `length` is what they have in the file. `too_long`: not all of it is in `text`, */
  uint64_t cut; /* but so many bytes less */
  TrSpan
      timestamp; /* in `line`. TR_ABSENT: lines before the first timestamp, or, from elsewhere on, none begins there */
  TrBytes words; /* behind the timestamp, as far as they are held */
} TrMessage;

/* Call order: open on lines that are open or about to be, next until SQLITE_DONE, close. A zeroed one is a valid closed
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

TrEvent tr_event_of(const char *words, size_t length); /* a message behind its timestamp */
const char *tr_event_name(TrEvent event);              /* static */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/json_file.c - a small JSON file that others rewrite in place -> its values
** scheduler/jobs_file.c - jobs.json -> the jobs that the scheduler knows
** scheduler/checkpoint.c - is a job running?
*/
typedef struct TrJson TrJson; /* a value of a tree, which tr_json_free() frees as a whole */

/* Looks again for `patience_ms` while the file does not parse or changes under the read. `flags` are more for open().
** SQLITE_NOTFOUND: it is not there. SQLITE_CORRUPT: it still does not parse. *message has the cause, without the
** name. */
TR_CHECKED int tr_json_load(int dirfd, const char *name, int flags, int patience_ms, TrPoll *poll, TrJson **root,
                            char **message);
void tr_json_free(TrJson *root); /* NULL is allowed, as in all that follow but first and next */
bool tr_json_is_object(const TrJson *value);
bool tr_json_is_array(const TrJson *value);
const TrJson *tr_json_member(const TrJson *object,
                             const char *key);              /* the last of that name; NULL: none, or no object */
const TrJson *tr_json_first(const TrJson *array);           /* NULL: it is empty */
const TrJson *tr_json_next(const TrJson *element);          /* NULL: that was the last */
const char *tr_json_text(const TrJson *value);              /* NULL: not a string. Lives as long as the tree */
bool tr_json_integer(const TrJson *value, int64_t *number); /* below 2^53 */
bool tr_json_is_truthy(const TrJson *value);                /* as Python's bool() */
void tr_json_result(sqlite3_context *context, const TrJson *value);        /* as json_extract() would */
void tr_json_result_source(sqlite3_context *context, const TrJson *value); /* as JSON */

typedef struct TrJobs {
  TrJson *root;       /* owned */
  const TrJson **job; /* owned: the elements of "jobs" */
  size_t count;
  int state_fd; /* owned, tr_locate_dir(): the directory that the file is in */
} TrJobs;

TR_CHECKED int tr_jobs_load(TrJobs *jobs, const char *path, TrPoll *poll,
                            char **message); /* on failure nothing is owned */
void tr_jobs_free(TrJobs *jobs);
const char *tr_jobs_id(const TrJobs *jobs, size_t i); /* NULL: it has none that is a text */
bool tr_jobs_is_enabled(const TrJobs *jobs, size_t i);
bool tr_jobs_time_us(const TrJobs *jobs, size_t i, const char *key, int64_t *time_us);

typedef enum TrRun {
  TR_RUN_NONE,  /* no checkpoint */
  TR_RUN_ALIVE, /* it names a process, which lives */
  TR_RUN_DEAD,  /* it names none that does */
} TrRun;

#define TR_UNKNOWN_US INT64_MIN
/* TR_RUN_ALIVE: since *started_us, or TR_UNKNOWN_US. */
TR_CHECKED int tr_checkpoint_look(int state_fd, const char *job_id, TrPoll *poll, TrRun *run, int64_t *started_us,
                                  char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/durations.c - what a log says of starts and finishes -> the start of the run that ended at a given time
*/
#define TR_UNFINISHED_US INT64_MIN /* a finish that the log does not tell of */

typedef struct TrTimedRun {
  int64_t start_us, finish_us; /* as the log has them */
} TrTimedRun;

typedef struct TrDurations {
  TrTimedRun *run; /* owned; after end(), in the order of finish_us, and behind `count` of them those without one */
  size_t count, room;
  size_t unfinished;  /* after end(): how many those are */
  int64_t finish_us;  /* while messages are added: of the run whose start comes next, */
  bool finish_known;  /* if this is set */
  bool executing;     /* the message before was `Executing (...)` */
  bool finishes_told; /* there is a finish in this log */
} TrDurations;

/* Call order: begin, add for each message with a time, newest first, end, find, free. A zeroed one is a valid freed
** one, and begin() may follow at any point. */
void tr_durations_begin(TrDurations *durations);
TR_CHECKED int tr_durations_add(TrDurations *durations, TrBytes words, int64_t time_us);
bool tr_durations_are_full(const TrDurations *durations); /* add no more: enough is enough */
void tr_durations_end(TrDurations *durations);
bool tr_durations_find(const TrDurations *durations, int64_t time_us, size_t *which); /* of `run` */
void tr_durations_free(TrDurations *durations);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/schedule.c - a schedule as jobs.json has it -> when it is due
** scheduler/cron.c - the five fields of a cron expression
*/
#define TR_LAST_DAY 1u /* the bit of `days` that stands for the last day of a month: there is no day 0 */

typedef struct TrCron {
  uint64_t minutes;             /* bit n: minute n; and so on */
  uint32_t hours, days, months; /* days and months from 1 on */
  uint32_t weekdays;            /* 0: Sunday */
  bool any_day, any_weekday;    /* the field asks for nothing: see cron.c */
} TrCron;

/* SQLITE_OK; SQLITE_MISMATCH, and *cause tells what is wrong with it; or SQLITE_NOMEM. */
TR_CHECKED int tr_cron_parse(const char *text, size_t length, TrCron *cron, char **cause);
bool tr_cron_has_day(const TrCron *cron, int64_t day, int year, int month, int day_of_month);

typedef struct TrSchedule {
  int64_t interval_us; /* `every N unit` and `in N unit`; 0: at the times of `cron` */
  bool is_single;      /* `in N unit`: once, unless the job is recurring */
  TrCron cron;
} TrSchedule;

TR_CHECKED int tr_schedule_parse(const char *text, size_t length, TrSchedule *schedule, char **cause); /* as above */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/due.c - a schedule, and a time to begin with -> the times at which it is due
*/
typedef struct TrDue {
  const TrSchedule *schedule; /* borrowed, */
  const TrZone *zone;         /* and so is this: whose clocks the times of `cron` are; NULL: UTC */
  int64_t last_us;            /* the one given out before, or the time to begin with */
  TrStretch stretch;          /* of the zone, at the current minute */
  int64_t day;                /* the current one, on its clocks: days since 1970, */
  int year, month, day_of_month;
  uint32_t hours;   /* of it that are still to come, */
  uint64_t minutes; /* and minutes of the first of them; all are 0 before the first day */
} TrDue;

void tr_due_begin(TrDue *due, const TrSchedule *schedule, const TrZone *zone, int64_t after_us);
bool tr_due_next(TrDue *due, int64_t *due_us); /* the next one behind `after_us`; false: there is none up to 9999 */

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/job_log.c - the messages of a job's log -> its runs, and what turned its schedule
*/
typedef enum TrTurnKind {
  TR_TURN_PAUSED,
  TR_TURN_RESUMED,
  TR_TURN_SCHEDULED, /* made, and enabled */
  TR_TURN_ENABLED,   /* an update of `enabled`, of which the log does not tell to what */
  TR_TURN_CHANGED,   /* an update of the schedule */
  TR_TURN_BY_HAND,   /* a run by hand was asked for */
  TR_TURN_SKIPPED,
} TrTurnKind;

typedef struct TrTurn {
  int64_t time_us;
  uint32_t words; /* SKIPPED: where they begin in TrJobLog.words; they end with a NUL */
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
  int64_t horizon_us; /* what is older need not be known, */
  size_t older_runs;  /* but how many have begun before it, */
  bool knows_enabled; /* and whether the job was enabled then */
  bool asked_by_hand; /* a run by hand was asked for after the run that comes next */
} TrJobLog;

/* Call order: begin, add for each message with a time, newest first, until it is enough, end; free. A zeroed one is a
** valid freed one, and begin() may follow at any point. SQLITE_TOOBIG: it tells of more than can be held. */
void tr_job_log_begin(TrJobLog *log, int64_t horizon_us);
TR_CHECKED int tr_job_log_add(TrJobLog *log, TrBytes words, int64_t time_us);
bool tr_job_log_is_enough(const TrJobLog *log);
void tr_job_log_end(TrJobLog *log);
void tr_job_log_free(TrJobLog *log);

/* ------------------------------------------------------------------------------------------------------------------
** scheduler/slots.c - a job's schedule, its runs and its log -> what became of each slot
*/
typedef enum TrSlotRunKind {
  TR_RUN_OF_RECORD,
  TR_RUN_OF_LOG, /* the log tells of its end, but there is no record */
  TR_RUN_GOING_ON,
  TR_RUN_CUT_SHORT, /* the log tells of no end, and there is no record */
} TrSlotRunKind;

typedef struct TrSlotRun {
  int64_t start_us, finish_us; /* finish_us: of the first two kinds */
  int64_t offset;              /* OF_RECORD: of its line, */
  bool ok;                     /* and whether it was a success */
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
  TR_SLOT_PLAIN,       /* the state tells all */
  TR_SLOT_NO_RECORD,   /* RAN, LATE: of the run */
  TR_SLOT_RUN_CUT,     /* MISSED: a run that began at reason_us left no record */
  TR_SLOT_PAUSED_AT,   /* PAUSED: since reason_us */
  TR_SLOT_WORDS,       /* SKIPPED: reason_words */
  TR_SLOT_TO_COME,     /* PENDING */
  TR_SLOT_IN_GRACE,    /* PENDING: until reason_us */
  TR_SLOT_IS_RUNNING,  /* PENDING: since reason_us */
  TR_SLOT_CHANGED_AT,  /* UNKNOWN: the schedule, at reason_us */
  TR_SLOT_ENABLED_SET, /* UNKNOWN: at reason_us; to what? */
  TR_SLOT_DISABLED,    /* UNKNOWN: it is not enabled; since when? */
  TR_SLOT_IS_ENABLED,  /* UNKNOWN: it is enabled again; since when? */
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

/* What is known of a job. All is borrowed. */
typedef struct TrSlotJob {
  TrSchedule schedule;
  const TrZone *zone;
  bool is_recurring, is_enabled;
  int64_t created_us, now_us;
  int64_t grace_us; /* negative: the default */
  TrSlotRun *run;   /* in the order of their start */
  size_t run_count;
  const TrJobLog *log;
  int64_t earliest_us; /* what the records go back to; INT64_MAX: there are none */
} TrSlotJob;

typedef struct TrSlots {
  const TrSlotJob *job;       /* borrowed */
  int64_t changed_us;         /* the last change of the schedule; INT64_MIN: none */
  int64_t from_us;            /* slots before that are not asked for */
  int64_t end_us;             /* of the current slot: what begins then or later belongs to the next */
  int64_t grace_us;           /* of the current slot, by default */
  TrDue due;                  /* fixed times: */
  int64_t following_us;       /* the next slot; INT64_MAX: there is none */
  int64_t next_us;            /* an interval: the next slot, if nothing comes before; INT64_MAX: none */
  size_t next_run, next_turn; /* what may come before */
  size_t run_at, skip_at;     /* the first ones at or after the current slot */
  size_t sign_turn, sign_run; /* the first ones behind it that may tell whether the job was enabled */
  int64_t sign_us;            /* the last that did; INT64_MIN: none, and it was enabled when it was made */
  uint8_t sign;               /* TrTurnKind */
  int64_t last_sign_us;       /* the last of all */
} TrSlots;

/* Those from `from_us` on, in order, without an end (but that of the year 9999). Marks the runs by hand. */
void tr_slots_begin(TrSlots *slots, TrSlotJob *job, int64_t from_us);
bool tr_slots_next(TrSlots *slots, TrSlot *slot); /* false: there are no more */

#pragma GCC visibility pop
#endif /* TR_SCHEDULER_H */
