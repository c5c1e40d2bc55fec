/*
** functions.h - one file for each SQL function, or family of them.
*/
#ifndef TR_FUNCTIONS_H
#define TR_FUNCTIONS_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../export/export.h"
#include "../index/index.h"
#include "../tables/tables.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** functions/hash.c - taskresults_hash(record): a number to find a stored line again
*/
TR_CHECKED int tr_hash_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** functions/ship_body.c - taskresults_ship_body(): the rows of a batch -> the body of a request
*/
TR_CHECKED int tr_ship_body_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** functions/foreign.c - taskresults_epoch() and taskresults_text(): values from other programs' databases
*/
TR_CHECKED int tr_foreign_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** functions/times.c - taskresults_time(), taskresults_span(), taskresults_local() and taskresults_untimed()
*/
TR_CHECKED int tr_time_functions_register(TrConnection *connection);

/* ------------------------------------------------------------------------------------------------------------------
** functions/schedule_slots.c - taskresults_slots(schedule, since, until, zone): the times at which a schedule is due
*/
TR_CHECKED int tr_slots_function_register(TrConnection *connection);

/* ------------------------------------------------------------------------------------------------------------------
** functions/mapping.c - taskresults_mapping(map): the JSON of a mapping
*/
TR_CHECKED int tr_mapping_function_register(TrConnection *connection);

/* ------------------------------------------------------------------------------------------------------------------
** functions/option.c - values of options
*/
bool tr_option_is_flag(sqlite3_value *value, bool *flag); /* 0 or 1 */
/* NULL: it is not a text, or it contains a NUL, which would cut it. Lives as long as the value. */
const char *tr_option_text(sqlite3_value *value);

/* ------------------------------------------------------------------------------------------------------------------
** functions/result.c - what a function returns
*/
void tr_result_begin(sqlite3_str *out, TrBytes job, const char *result); /* {"job_id":…,"result":… */
/* The text of `out` (NULL: there is none), or the error. Consumes `out` and `message`. */
void tr_result_finish(sqlite3_context *context, int code, sqlite3_str *out, char *message);

/* ------------------------------------------------------------------------------------------------------------------
** functions/kept_heads.c - the heads that were kept elsewhere, by job
*/
typedef struct TrKeptHead {
  TrBytes job; /* borrowed from the text */
  unsigned char head[TR_DIGEST_BYTES];
} TrKeptHead;

typedef struct TrKeptHeads {
  TrKeptHead *head; /* owned: sorted by job, and then as the lines were */
  size_t count, room;
  bool is_given; /* a text was parsed, even if there are none in it */
} TrKeptHeads;

TR_CHECKED int tr_kept_heads_parse(TrKeptHeads *heads, const char *text, TrPoll *poll, char **message);
size_t tr_kept_heads_find(const TrKeptHeads *heads, TrBytes job, size_t *end); /* a job's are [result, *end) */
void tr_kept_heads_free(TrKeptHeads *heads);

/* functions/verification_json.c - what a verification has found, as the JSON of taskresults_verify() */
TR_CHECKED int tr_verification_append(sqlite3_str *out, const TrVerification *v, const TrKeptHeads *heads,
                                      TrPoll *poll);

/* ------------------------------------------------------------------------------------------------------------------
** functions/signature.c, export_csv.c, prune.c, policy.c, seals.c, indexes.c, writable.c - they only register their
** functions
*/
TR_CHECKED int tr_signature_register(sqlite3 *db);
TR_CHECKED int tr_writable_register(TrConnection *connection);
/* functions/side_effects.c - the functions that act on files: who may call them, and when. */
TR_CHECKED int tr_side_effects_register(TrConnection *connection, const char *name, int argc,
                                        void (*function)(sqlite3_context *, int, sqlite3_value **));
/* Both return false with the error set. */
bool tr_side_effects_is_run(sqlite3_context *context);      /* SQLite is not preparing */
bool tr_side_effects_are_allowed(sqlite3_context *context); /* nor is the connection under PRAGMA query_only */
TR_CHECKED int tr_prune_register(TrConnection *connection);
TR_CHECKED int tr_policy_register(TrConnection *connection);
TR_CHECKED int tr_seals_register(TrConnection *connection);
TR_CHECKED int tr_indexes_register(TrConnection *connection);
TR_CHECKED int tr_export_register(TrConnection *connection);

#pragma GCC visibility pop
#endif /* TR_FUNCTIONS_H */
