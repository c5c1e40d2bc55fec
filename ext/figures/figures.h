/*
** figures.h - records -> figures: the one meaning of success, statistics of a job, groups of its errors. No SQL.
*/
#ifndef TR_FIGURES_H
#define TR_FIGURES_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** figures/job_figures.c - the records and rejects of one job -> its figures
*/
typedef struct TrKept {
  TrSpan span;          /* into bytes; its start is 0 */
  unsigned char *bytes; /* owned; a NUL follows the span */
  size_t room;
} TrKept;

/* A mean of durations: of those that are known. */
typedef struct TrMean {
  double sum_us;
  int64_t count;
} TrMean;

typedef struct TrTally {
  locale_t c_locale; /* borrowed */
  bool wants_times;  /* repair and between are asked for: the times of outages have to be read */
  int64_t runs, successes, rejects;
  int64_t streak; /* n: the last n runs succeeded; -n: failed; 0: no runs */
  int64_t longest_failure_streak;
  bool outage_timed; /* the last outage has begun at a known time, */
  int64_t outage_us; /* this one */
  TrMean repair;     /* from an outage's first failure to the success that ended it */
  TrMean between;    /* from one outage's beginning to that of the next */
  TrKept first_run, last_success, last_failure, last_error; /* as in the record; of kind TR_ABSENT if there was none */
} TrTally;

/* A zeroed TrTally but for c_locale and wants_times is a valid one. begin keeps the memory of the job before. */
void tr_tally_begin(TrTally *tally);
int tr_tally_record(TrTally *tally, const TrLine *line, const TrRecord *record); /* SQLITE_OK or SQLITE_NOMEM */
void tr_tally_free(TrTally *tally);
const TrKept *tr_tally_last_run(const TrTally *tally); /* the timestamp */
bool tr_kept_time_us(const TrKept *kept, int64_t *time_us);

/* ------------------------------------------------------------------------------------------------------------------
** figures/signature.c - taskresults_signature(error): what kind of failure a text tells of
*/
#define TR_SIGNATURE_SIZE 900 /* bytes */

size_t tr_signature_of(TrBytes error, char out[TR_SIGNATURE_SIZE]); /* its length; no NUL is added */

/* ------------------------------------------------------------------------------------------------------------------
** figures/error_groups.c - the failures of one job -> how often each kind of them occurred
*/
typedef struct TrErrorKind {
  char *signature; /* owned; no NUL ends it, but there may be some in it */
  size_t length;   /* bytes */
  int64_t times;
  int64_t offset;            /* of the first one's line */
  bool timed;                /* the times of one at least could be read: */
  int64_t first_us, last_us; /* the earliest and the latest */
} TrErrorKind;

typedef struct TrMemo TrMemo; /* a text of this job whose kind is known */

typedef struct TrErrorKinds {
  locale_t c_locale; /* borrowed */
  TrErrorKind *kind; /* owned; in the order of the file */
  size_t count, room;
  size_t *slot;      /* owned: index into kind[] + 1, or 0 */
  size_t slot_count; /* a power of two, twice the room */
  TrMemo *memo;      /* owned */
  uint64_t seed;
  TrScratch scratch;
} TrErrorKinds;

/* A zeroed TrErrorKinds but for c_locale is a valid one. begin forgets the job before. All: SQLITE_OK or SQLITE_NOMEM. */
int tr_kinds_begin(TrErrorKinds *kinds);
int tr_kinds_add(TrErrorKinds *kinds, const TrLine *line, const TrRecord *record);
void tr_kinds_free(TrErrorKinds *kinds);

#pragma GCC visibility pop
#endif /* TR_FIGURES_H */
