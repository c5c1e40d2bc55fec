/*
** figures.h - records -> figures: the one meaning of success, statistics of a job, groups of its errors. No SQL.
*/
#ifndef TR_FIGURES_H
#define TR_FIGURES_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** figures/success.c - is a record a success? What Python calls true of its `success`
*/
/* Under a mapping, a record can be neither. */
static inline bool tr_record_is_unknown(const TrRecord *record) {
  return record->field[TR_SUCCESS].kind == TR_UNKNOWN;
}
bool tr_record_is_ok(const TrLine *line, const TrRecord *record);
/* The index tells of it, and its line has not been read: only `success` (true, false or null), the time and the offset
** are known. */
static inline bool tr_record_is_unread(const TrRecord *record) {
  return record->field[TR_ERROR].kind == TR_UNREAD;
}

/* ------------------------------------------------------------------------------------------------------------------
** figures/mapped_run.c - under a mapping, what a record itself says of its run
*/
/* False: unknown. If a record has no duration, or a negative one, it is the time from its start to its timestamp. */
bool tr_record_duration_us(const TrLine *line, const TrRecord *record, locale_t c_locale, int64_t *us);
bool tr_record_start_us(const TrLine *line, const TrRecord *record, locale_t c_locale, int64_t *us);
/* Its job, if jobs are in the records: a text, or the source of any other value. No text: it has none. It borrows from
** the line or the scratch. SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_record_job(const TrLine *line, const TrRecord *record, TrScratch *scratch, TrBytes *job);

/* ------------------------------------------------------------------------------------------------------------------
** figures/job_figures.c - the records and rejects of one job -> its figures
*/
typedef struct TrKept {
  TrSpan span;          /* into bytes; its start is 0 */
  unsigned char *bytes; /* owned; a NUL follows the span */
  size_t room;
  int64_t offset; /* of the line in which it still is, if the span is TR_UNREAD */
} TrKept;

/* A mean of the known durations. */
typedef struct TrMean {
  double sum_us;
  int64_t count;
} TrMean;

typedef struct TrJobFigures {
  locale_t c_locale; /* borrowed */
  bool wants_times;  /* the query needs `repair` or `between`, so the times of outages have to be read */
  int64_t runs, successes, rejects;
  int64_t unknowns, others; /* under a mapping: runs that are neither, and lines that it does not want */
  int64_t streak;           /* n: the last n runs succeeded; -n: failed; 0: no runs, since the last break */
  bool ended_well;          /* what the last run before that break was */
  int64_t longest_failure_streak;
  bool outage_timed; /* the last outage began at a known time */
  int64_t outage_us; /* that time */
  TrMean repair;     /* from an outage's first failure to the success that ended it */
  TrMean between;    /* from the start of one outage to the start of the next */
  TrKept first_run, last_success, last_failure, last_error; /* as in the record; TR_ABSENT if there was none */
  TrKept last_unknown;
  bool ends_unknown; /* the last run is neither */
} TrJobFigures;

/* Zero a TrJobFigures and set c_locale and wants_times; that is a valid one. begin starts a new job, and keeps the
** buffers. */
void tr_job_figures_begin(TrJobFigures *figures);
/* Adds the next lines, all valid at the same time. SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_job_figures_add(TrJobFigures *figures, const TrParsed *lines, unsigned count);
/* Runs are missing here: what is about runs in a row begins anew. */
void tr_job_figures_break(TrJobFigures *figures);
/* Records may be unread ones. Then this reads what is to be kept of them, each line by `read`; SQLITE_OK, or what it
** returned. */
typedef int (*TrReadLine)(void *context, int64_t offset, const TrParsed **parsed);
TR_CHECKED int tr_job_figures_read_kept(TrJobFigures *figures, TrReadLine read, void *context);
void tr_job_figures_free(TrJobFigures *figures);
const TrKept *tr_job_figures_last_run(const TrJobFigures *figures); /* the timestamp */
bool tr_kept_time_us(const TrKept *kept, int64_t *time_us);

/* ------------------------------------------------------------------------------------------------------------------
** figures/day_counts.c - the records of one job -> how many ran, and failed, on each day
*/
/* The UTC day of a time. False: it lies outside of the years that can be written (0 to 9999), so it counts as
** unreadable. */
bool tr_day_of_time(int64_t time_us, int64_t *day);
#define TR_DAY_TEXT_SIZE 16
void tr_day_text(int64_t day, char out[TR_DAY_TEXT_SIZE]); /* "2026-01-31" */

/* A day, or a part of one. */
typedef struct TrDayCell {
  bool is_timed;          /* false: of records whose time cannot be read. Then only the numbers are set */
  int64_t from_us, to_us; /* [from, to) */
  int64_t day;            /* of the calendar, since 1970-01-01 */
  int64_t age, part;      /* has_as_of: 1 is the last 24 hours; which part of the day it is, from 0 on */
  int64_t runs, failures;
  int64_t removed_runs, removed_failures; /* of these, those that a prune has removed */
  int64_t first_us, last_us;
} TrDayCell;

typedef struct TrDayCounts {
  const TrZone *zone; /* borrowed */
  bool has_as_of;     /* days are cut, and what ran later counts as of that time */
  int64_t as_of_us;
  TrDayCell untimed;
  TrDayCell *cell; /* owned; in the order of time */
  size_t count, room;
  size_t last; /* index of the one that was used last */
} TrDayCounts;

typedef struct TrRemovedRuns { /* of one day of UTC */
  int64_t runs, failures, first_us, last_us;
} TrRemovedRuns;

/* Zero a TrDayCounts, and set zone and as_of; that is a valid one. These return SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_day_counts_add(TrDayCounts *counts, const TrParsed *lines, unsigned count);
TR_CHECKED int tr_day_counts_add_removed(TrDayCounts *counts, const TrRemovedRuns *removed);
void tr_day_counts_add_removed_untimed(TrDayCounts *counts, int64_t runs, int64_t failures);
void tr_day_counts_free(TrDayCounts *counts);

/* ------------------------------------------------------------------------------------------------------------------
** figures/job_index.c - the jobs of files that several jobs share -> their numbers
*/
typedef struct TrIndexedJob {
  char *names;       /* owned */
  TrBytes host, job; /* in it; no text: there is none */
} TrIndexedJob;

typedef struct TrJobIndex {
  TrIndexedJob *job; /* owned */
  size_t count, room;
  size_t *slot; /* owned: index into job[] + 1, or 0 */
  size_t slot_count;
  uint64_t seed;
} TrJobIndex;

/* A zeroed one is a valid freed one. SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_job_index_find(TrJobIndex *index, TrBytes host, TrBytes job, size_t *which, bool *is_new);
void tr_job_index_free(TrJobIndex *index);

/* ------------------------------------------------------------------------------------------------------------------
** figures/quantiles.c - numbers -> their quantiles, by the nearest rank
*/
typedef struct TrQuantiles {
  int64_t *value; /* owned */
  size_t count, room;
  bool is_sorted;
} TrQuantiles;

/* A zeroed one is a valid freed one; begin drops all numbers. add: SQLITE_OK or SQLITE_NOMEM. find: false if there are
** no numbers; percent is 1 to 100 (the maximum). */
void tr_quantiles_begin(TrQuantiles *quantiles);
TR_CHECKED int tr_quantiles_add(TrQuantiles *quantiles, int64_t value);
bool tr_quantiles_find(TrQuantiles *quantiles, unsigned percent, int64_t *value);
void tr_quantiles_free(TrQuantiles *quantiles);

/* ------------------------------------------------------------------------------------------------------------------
** figures/signature.c - taskresults_signature(error): the kind of failure that an error text describes
*/
#define TR_SIGNATURE_SIZE 900 /* bytes */

size_t tr_signature_of(TrBytes error, char out[TR_SIGNATURE_SIZE]); /* its length; no NUL is added */

/* ------------------------------------------------------------------------------------------------------------------
** figures/error_groups.c - the failures of one job -> groups of like errors, and how often each occurred
*/
typedef struct TrErrorGroup {
  char *signature; /* owned; not NUL-terminated; may contain NULs */
  size_t length;   /* bytes */
  int64_t times;
  int64_t first_rowid;       /* the caller's, of the first one */
  bool timed;                /* at least one of them has a readable time */
  int64_t first_us, last_us; /* the earliest and the latest time */
} TrErrorGroup;

typedef struct TrMemo TrMemo; /* texts of this job whose group is known */

typedef struct TrErrorGroups {
  locale_t c_locale;   /* borrowed */
  TrErrorGroup *group; /* owned; in the order of the file */
  size_t count, room;
  size_t *slot;      /* owned: index into group[] + 1, or 0 */
  size_t slot_count; /* a power of two, twice the room */
  TrMemo *memo;      /* owned */
  uint64_t seed;
  TrScratch scratch;
} TrErrorGroups;

/* Zero a TrErrorGroups and set c_locale; that is a valid one. begin starts a new job. Both return SQLITE_OK or
** SQLITE_NOMEM. */
TR_CHECKED int tr_error_groups_begin(TrErrorGroups *groups);
TR_CHECKED int tr_error_groups_add(TrErrorGroups *groups, const TrLine *line, const TrRecord *record, int64_t rowid);
void tr_error_groups_free(TrErrorGroups *groups);

#pragma GCC visibility pop
#endif /* TR_FIGURES_H */
