/*
** receipt_line.c - a receipt <-> its line of JSON.
**
** The line begins with the id, so that the beginning of a line that was cut short can be recognised. It ends with
** `replaced`, which is known last: after the exchange of the files. What we do not know is ignored when a line is read,
** since a later version may add to it; what we need must be there, and fit together.
*/
#include "history.h"

#include <stdlib.h>
#include <string.h>

static void append_time(sqlite3_str *out, const char *name, const int64_t *time_us) {
  char text[TR_TIMESTAMP_SIZE];
  if (time_us) tr_timestamp_format(*time_us, text);
  tr_json_append_text(out, name, time_us ? text : NULL);
}

static void append_days(sqlite3_str *out, const TrReceipt *receipt) {
  sqlite3_str_appendall(out, ",\"days\":[");
  for (size_t i = 0; i < receipt->days; i++) {
    const TrReceiptDay *day = &receipt->day[i];
    char text[TR_DAY_TEXT_SIZE];
    tr_day_text(day->day, text);
    sqlite3_str_appendf(out, "%s{\"day\":\"%s\"", i ? "," : "", text);
    tr_json_append_integer(out, "runs", day->runs);
    tr_json_append_integer(out, "failures", day->failures);
    append_time(out, "first_run", &day->first_us);
    append_time(out, "last_run", &day->last_us);
    sqlite3_str_appendchar(out, 1, '}');
  }
  sqlite3_str_appendall(out, "],\"untimed\":{\"runs\":");
  sqlite3_str_appendf(out, "%lld", (long long)receipt->untimed);
  tr_json_append_integer(out, "failures", receipt->untimed_failures);
  sqlite3_str_appendchar(out, 1, '}');
}

static void append_file(sqlite3_str *out, const char *name, const TrReceiptFile *file) {
  sqlite3_str_appendf(out, ",\"%s\":{", name);
  tr_json_append_exact(out, "dev", file->dev);
  sqlite3_str_appendchar(out, 1, ',');
  tr_json_append_exact(out, "inode", file->inode);
  tr_json_append_integer(out, "bytes", file->bytes);
  sqlite3_str_appendchar(out, 1, '}');
}

/* Their number is always there; they themselves only if there are few. */
static void append_kept(sqlite3_str *out, const TrReceipt *receipt) {
  tr_json_append_integer(out, "kept_ranges", (int64_t)receipt->kept_count);
  sqlite3_str_appendall(out, ",\"kept\":");
  if (receipt->kept_count > TR_RECEIPT_MAX_RANGES) {
    sqlite3_str_appendall(out, "null");
    return;
  }
  sqlite3_str_appendchar(out, 1, '[');
  for (size_t i = 0; i < receipt->kept_count; i++) {
    sqlite3_str_appendf(out, "%s[%lld,%lld]", i ? "," : "", (long long)receipt->kept[i].from,
                        (long long)receipt->kept[i].to);
  }
  sqlite3_str_appendchar(out, 1, ']');
}

#define NEW_HEAD "\"new_head\":\""

static void append_seal_member(sqlite3_str *out, const TrReceiptSeal *seal) {
  sqlite3_str_appendall(out, ",\"seal\":{\"job_id\":");
  tr_json_append_string(out, seal->job_id, strlen(seal->job_id));
  if (seal->has_previous)
    tr_digest_append(out, "previous", seal->previous);
  else
    tr_json_append_text(out, "previous", NULL);
  tr_json_append_integer(out, "old_lines", seal->old_lines);
  tr_json_append_integer(out, "old_bytes", seal->old_bytes);
  tr_digest_append(out, "old_head", seal->old_head);
  tr_json_append_integer(out, "new_bytes", seal->new_bytes);
  tr_digest_append(out, "new_head", seal->new_head);
  tr_json_append_integer(out, "new_lines", seal->new_lines);
  tr_digest_append(out, "new_tail", seal->new_tail);
  sqlite3_str_appendchar(out, 1, '}');
}

/* A quote in a text is escaped, so only our own member begins like that. */
size_t tr_receipt_seal_start(const char *line, size_t length) {
  const char *found = memmem(line, length, NEW_HEAD, sizeof NEW_HEAD - 1);
  return found ? (size_t)(found - line) + sizeof NEW_HEAD - 1 : 0;
}

char *tr_receipt_encode(const TrReceipt *receipt) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  sqlite3_str_appendf(out, "{\"id\":\"%s\"", receipt->id);
  append_time(out, "pruned_at", &receipt->pruned_us);
  tr_json_append_text(out, "rule", receipt->rule);
  tr_json_append_integer(out, "uid", receipt->uid);
  tr_json_append_text(out, "version", TASKRESULTS_VERSION);
  tr_json_append_integer(out, "max_line", receipt->max_line);
  tr_json_append_integer(out, "lines", receipt->lines);
  tr_json_append_integer(out, "records", receipt->records);
  tr_json_append_integer(out, "failures", receipt->failures);
  tr_json_append_integer(out, "bytes", receipt->bytes);
  append_time(out, "first_run", receipt->days ? &receipt->day[0].first_us : NULL);
  append_time(out, "last_run", receipt->days ? &receipt->day[receipt->days - 1].last_us : NULL);
  tr_json_append_text(out, "sha256", receipt->sha256[0] ? receipt->sha256 : NULL);
  append_days(out, receipt);
  append_file(out, "old", &receipt->old);
  append_file(out, "new", &receipt->new);
  append_kept(out, receipt);
  sqlite3_str_appendf(out, ",\"scattered\":%s", receipt->is_scattered ? "true" : "false");
  tr_json_append_integer(out, "unbroken_from", receipt->unbroken_from);
  sqlite3_str_appendf(out, ",\"unbroken_hash\":\"%016llx\"", (unsigned long long)receipt->unbroken_hash);
  tr_json_append_text(out, "archive", receipt->archive);
  if (receipt->is_sealed) append_seal_member(out, &receipt->seal);
  sqlite3_str_appendall(out, receipt->is_replaced ? TR_RECEIPT_END_REPLACED : TR_RECEIPT_END);
  return sqlite3_str_finish(out);
}

/* --- a line -> a receipt ------------------------------------------------------------------------------------------ */

static bool take_time_of(const TrJson *object, const char *key, int64_t *time_us) {
  const char *text = tr_json_text(tr_json_member(object, key));
  return text && tr_timestamp_parse(text, strlen(text), time_us);
}

static bool take_id(const TrJson *object, TrReceipt *receipt) {
  const char *id = tr_json_text(tr_json_member(object, "id"));
  if (id == NULL || strlen(id) != TR_RECEIPT_ID_SIZE - 1) return false;
  if (strspn(id, "0123456789abcdef") != TR_RECEIPT_ID_SIZE - 1) return false;
  memcpy(receipt->id, id, TR_RECEIPT_ID_SIZE);
  return true;
}

static bool take_sha256(const TrJson *object, TrReceipt *receipt) {
  const TrJson *value = tr_json_member(object, "sha256");
  const char *text = tr_json_text(value);
  if (text == NULL) return value && !tr_json_is_truthy(value);
  if (strlen(text) != TR_DIGEST_TEXT_SIZE - 1) return false;
  memcpy(receipt->sha256, text, TR_DIGEST_TEXT_SIZE);
  return true;
}

/* Both times must be of the day. */
static bool take_day_of(const TrJson *object, TrReceiptDay *day) {
  const char *text = tr_json_text(tr_json_member(object, "day"));
  char midnight[32];
  int64_t start_us, first, last;
  if (text == NULL || strlen(text) != strlen("2026-01-31")) return false;
  sqlite3_snprintf(sizeof midnight, midnight, "%sT00:00:00Z", text);
  if (!tr_timestamp_parse(midnight, strlen(midnight), &start_us)) return false;
  tr_day_of_time(start_us, &day->day);
  return tr_json_count(object, "runs", &day->runs) && tr_json_count(object, "failures", &day->failures) &&
         take_time_of(object, "first_run", &day->first_us) && take_time_of(object, "last_run", &day->last_us) &&
         day->failures <= day->runs && day->runs > 0 && day->first_us <= day->last_us &&
         tr_day_of_time(day->first_us, &first) && first == day->day && tr_day_of_time(day->last_us, &last) &&
         last == day->day;
}

static int take_days_of(const TrJson *object, TrReceipt *receipt, bool *is_fine) {
  const TrJson *array = tr_json_member(object, "days");
  const TrJson *element = tr_json_is_array(array) ? tr_json_first(array) : NULL;
  *is_fine = tr_json_is_array(array);
  for (; element && *is_fine; element = tr_json_next(element)) {
    TrReceiptDay *grown = tr_array_reserve(receipt->day, &receipt->room, receipt->days + 1, sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    receipt->day = grown;
    *is_fine = take_day_of(element, &grown[receipt->days]) &&
               (receipt->days == 0 || grown[receipt->days - 1].day < grown[receipt->days].day);
    receipt->days++;
  }
  return SQLITE_OK;
}

/* The records of all days, and those without a time, are all records. */
static bool sums_are_right(const TrReceipt *receipt) {
  int64_t runs = receipt->untimed, failures = receipt->untimed_failures;
  for (size_t i = 0; i < receipt->days; i++) {
    runs += receipt->day[i].runs;
    failures += receipt->day[i].failures;
  }
  return runs == receipt->records && failures == receipt->failures && receipt->records <= receipt->lines &&
         receipt->untimed_failures <= receipt->untimed;
}

static bool take_numbers(const TrJson *object, TrReceipt *receipt) {
  const TrJson *untimed = tr_json_member(object, "untimed");
  return tr_json_count(object, "uid", &receipt->uid) && tr_json_count(object, "lines", &receipt->lines) &&
         tr_json_count(object, "records", &receipt->records) && tr_json_count(object, "failures", &receipt->failures) &&
         tr_json_count(object, "bytes", &receipt->bytes) && tr_json_count(untimed, "runs", &receipt->untimed) &&
         tr_json_count(untimed, "failures", &receipt->untimed_failures);
}

static int take_texts(const TrJson *object, TrReceipt *receipt, bool *is_fine) {
  const char *rule = tr_json_text(tr_json_member(object, "rule"));
  const TrJson *archive = tr_json_member(object, "archive"), *replaced = tr_json_member(object, "replaced");
  const char *archive_name = tr_json_text(archive);
  *is_fine = rule && archive && (archive_name || !tr_json_is_truthy(archive)) && replaced;
  if (!*is_fine) return SQLITE_OK;
  receipt->is_replaced = tr_json_is_truthy(replaced);
  receipt->is_scattered = tr_json_is_truthy(tr_json_member(object, "scattered"));
  receipt->rule = sqlite3_mprintf("%s", rule);
  if (archive_name) receipt->archive = sqlite3_mprintf("%s", archive_name);
  return receipt->rule && (receipt->archive || archive_name == NULL) ? SQLITE_OK : SQLITE_NOMEM;
}

static bool take_previous(const TrJson *object, TrReceiptSeal *seal) {
  const TrJson *value = tr_json_member(object, "previous");
  seal->has_previous = tr_json_text(value) != NULL;
  return seal->has_previous ? tr_digest_take(object, "previous", seal->previous) : value && !tr_json_is_truthy(value);
}

static int take_seal_of(const TrJson *object, TrReceipt *receipt, bool *is_fine) {
  const TrJson *value = tr_json_member(object, "seal");
  TrReceiptSeal *seal = &receipt->seal;
  const char *job_id = tr_json_text(tr_json_member(value, "job_id"));
  *is_fine =
      value == NULL ||
      (job_id && take_previous(value, seal) && tr_json_count(value, "old_lines", &seal->old_lines) &&
       tr_json_count(value, "old_bytes", &seal->old_bytes) && tr_digest_take(value, "old_head", seal->old_head) &&
       tr_json_count(value, "new_bytes", &seal->new_bytes) && tr_digest_take(value, "new_head", seal->new_head) &&
       tr_json_count(value, "new_lines", &seal->new_lines) && tr_digest_take(value, "new_tail", seal->new_tail));
  receipt->is_sealed = value && *is_fine;
  if (!receipt->is_sealed) return SQLITE_OK;
  seal->job_id = sqlite3_mprintf("%s", job_id);
  return seal->job_id ? SQLITE_OK : SQLITE_NOMEM;
}

/* Not above 2^53, where they are texts: then nothing is known of them. */
static void take_file_of(const TrJson *object, const char *key, TrReceiptFile *file) {
  const TrJson *value = tr_json_member(object, key);
  int64_t inode;
  if (tr_json_count(value, "inode", &inode)) file->inode = (uint64_t)inode;
  if (!tr_json_count(value, "bytes", &file->bytes)) file->bytes = 0;
}

static bool take_hash(const char *text, uint64_t *hash) {
  if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) return false;
  *hash = strtoull(text, NULL, 16);
  return true;
}

/* A receipt of a build that did not write these two: after a scattered prune, runs may be missing before any line that
** it kept. */
static bool take_unbroken(const TrJson *object, TrReceipt *receipt) {
  const TrJson *from = tr_json_member(object, "unbroken_from");
  take_file_of(object, "old", &receipt->old);
  take_file_of(object, "new", &receipt->new);
  receipt->has_unbroken = from != NULL;
  if (from == NULL && receipt->is_scattered) receipt->unbroken_from = receipt->new.bytes;
  if (from == NULL) return true;
  return tr_json_count(object, "unbroken_from", &receipt->unbroken_from) &&
         take_hash(tr_json_text(tr_json_member(object, "unbroken_hash")), &receipt->unbroken_hash);
}

static int take_receipt(const TrJson *object, TrReceipt *receipt, char **message) {
  bool is_fine = false;
  int code = take_texts(object, receipt, &is_fine);
  if (code == SQLITE_OK && is_fine) code = take_days_of(object, receipt, &is_fine);
  if (code == SQLITE_OK && is_fine) code = take_seal_of(object, receipt, &is_fine);
  if (code != SQLITE_OK) return code;
  is_fine = is_fine && take_id(object, receipt) && take_time_of(object, "pruned_at", &receipt->pruned_us) &&
            take_numbers(object, receipt) && take_sha256(object, receipt) && take_unbroken(object, receipt);
  if (!is_fine) return tr_error(message, SQLITE_CORRUPT, "a member of a receipt is missing, or has a wrong value");
  if (sums_are_right(receipt)) return SQLITE_OK;
  return tr_error(message, SQLITE_CORRUPT, "its numbers contradict each other");
}

int tr_receipt_parse(const char *text, size_t length, TrReceipt *receipt, char **message) {
  TrJson *object;
  *receipt = (TrReceipt){0};
  int code = tr_json_parse(text, length, &object, message);
  if (code == SQLITE_OK) code = take_receipt(object, receipt, message);
  tr_json_free(object);
  if (code != SQLITE_OK) tr_receipt_free(receipt);
  return code;
}
