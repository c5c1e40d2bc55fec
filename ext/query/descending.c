/*
** descending.c - may a query have its history in descending order without sorting it?
**
** What can be read from its end, is: plain files, and segments of an archive. Another compressed file would have to be
** decompressed again and again (codec/rewind.c), so if there is one, SQLite sorts. This is looked up when the query
** is planned; if such a file appears later, the order stays right, and only the query takes longer.
*/
#include "query.h"

#include <string.h>

typedef struct Search {
  const TrStore *store;
  const char *job; /* NULL: any */
  size_t length;
} Search;

/* SQLITE_DONE: this is one. */
static int look_at_name(void *context, const char *text) {
  const Search *search = context;
  TrSegmentName name;
  if (!tr_segment_name_parse_in(search->store, text, &name) || name.codec == TR_CODEC_PLAIN) return SQLITE_OK;
  bool is_other =
      search->job && (name.job.length != search->length || memcmp(name.job.text, search->job, search->length) != 0);
  return is_other ? SQLITE_OK : SQLITE_DONE;
}

/* The only job that is asked for, if it is known by now. */
static Search find_job(sqlite3_index_info *info, TrColumn (*column_of)(int table_column)) {
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    sqlite3_value *value;
    bool is_equal = constraint->op == SQLITE_INDEX_CONSTRAINT_EQ && info->aConstraintUsage[i].argvIndex > 0;
    if (!is_equal || constraint->iColumn < 0 || column_of(constraint->iColumn) != TR_COLUMN_JOB_ID) continue;
    if (sqlite3_vtab_in(info, i, -1) || sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK) continue;
    if (sqlite3_value_type(value) != SQLITE_TEXT) continue;
    const char *job = (const char *)sqlite3_value_text(value);
    if (job) return (Search){.job = job, .length = (size_t)sqlite3_value_bytes(value)};
  }
  return (Search){0};
}

int tr_descending_is_possible(sqlite3_index_info *info, const TrPlanned *planned, bool *possible) {
  TrDir dir = {.fd = -1};
  TrPoll poll = {.db = planned->connection->db};
  Search search = find_job(info, planned->column_of);
  *possible = true;
  TrMapping *mapping;
  TrStore mapped;
  int code = tr_settings_mapping(planned->settings, &mapping, NULL);
  search.store = tr_settings_store(planned->settings, mapping, &mapped);
  if (code == SQLITE_OK) code = tr_dir_open(&dir, search.store, tr_settings_dir(planned->settings), NULL);
  if (code == SQLITE_OK) code = tr_dir_list(&dir, &poll, look_at_name, &search, NULL);
  tr_dir_close(&dir);
  tr_poll_close(&poll);
  tr_mapping_free(mapping);
  if (code == SQLITE_DONE) *possible = false;
  return code == SQLITE_NOMEM || code == SQLITE_INTERRUPT ? code : SQLITE_OK; /* the query itself reports the rest */
}
