/*
** verification_json.c - what a verification of a job has found -> the JSON that taskresults_verify() returns.
**
** All that does not match is a reason. A head that was kept elsewhere is one if no seal has it; or if it is from before
** a prune that only a receipt explains, and no kept head of the job proves the lines that are there now.
*/
#include "functions.h"

#include <string.h>

static void append_reason(sqlite3_str *out, bool *is_first, const char *text) {
  if (!*is_first) sqlite3_str_appendchar(out, 1, ',');
  *is_first = false;
  tr_json_append_string(out, text, strlen(text));
}

#define ONLY_A_RECEIPT "is from before the prune of %s, which only a receipt explains: it proves nothing of the lines "

static void append_missing_head(sqlite3_str *out, bool *is_first, const unsigned char head[TR_DIGEST_BYTES]) {
  char digits[TR_DIGEST_TEXT_SIZE], text[160];
  tr_digest_text(head, digits);
  sqlite3_snprintf(sizeof text, text, "no seal has the head that was kept elsewhere, %s", digits);
  append_reason(out, is_first, text);
}

static void append_unproven(sqlite3_str *out, bool *is_first, const TrVerification *v, size_t since,
                            const unsigned char head[TR_DIGEST_BYTES]) {
  char digits[TR_DIGEST_TEXT_SIZE], when[TR_TIMESTAMP_SIZE], text[400];
  tr_digest_text(head, digits);
  tr_timestamp_format(v->seals.era[since].pruned_us, when);
  sqlite3_snprintf(sizeof text, text,
                   "the head that was kept elsewhere, %s, " ONLY_A_RECEIPT "there now; keep a newer one", digits, when);
  append_reason(out, is_first, text);
}

/* The heads that were kept elsewhere: those that the job does not have; and is there one that proves its lines? */
static int append_kept_heads(sqlite3_str *out, bool *is_first, const TrVerification *v, const TrKeptHeads *heads,
                             TrPoll *poll) {
  const TrKeptHead *unproven = NULL, *kept = heads->head;
  size_t end, since = 0;
  bool is_proven = false;
  int code = SQLITE_OK;
  size_t i = tr_kept_heads_find(heads, (TrBytes){v->job_id, v->length}, &end);
  for (size_t begin = i; i < end && code == SQLITE_OK; i++) {
    size_t era;
    code = tr_poll(poll);
    if (i > begin && memcmp(kept[i].head, kept[i - 1].head, TR_DIGEST_BYTES) == 0) continue;
    if (!tr_seals_find_head(&v->seals, kept[i].head, &era)) {
      append_missing_head(out, is_first, kept[i].head);
    } else if (tr_verification_unproven_since(v, era) == 0) {
      is_proven = true;
    } else {
      since = tr_verification_unproven_since(v, era);
      unproven = &kept[i];
    }
  }
  if (unproven && !is_proven && *is_first) append_unproven(out, is_first, v, since, unproven->head);
  return code;
}

static void append_stretch(sqlite3_str *out, bool *is_first, const TrVerification *v) {
  char *text = tr_verification_mismatch(v);
  append_reason(out, is_first, text ? text : "out of memory");
  sqlite3_free(text);
}

static int append_reasons(sqlite3_str *out, const TrVerification *v, const TrKeptHeads *heads, TrPoll *poll,
                          bool *is_any) {
  bool is_first = true;
  for (size_t i = 0; i < v->seals.faults.count; i++) append_reason(out, &is_first, v->seals.faults.name[i]);
  if (v->is_gone && tr_seals_are_any(&v->seals)) append_reason(out, &is_first, "the file is gone, and it was sealed");
  if (v->stretch.from >= 0) append_stretch(out, &is_first, v);
  if (tr_verification_has_foreign_signature(v)) append_reason(out, &is_first, TR_FOREIGN_SIGNATURE);
  int code = append_kept_heads(out, &is_first, v, heads, poll);
  *is_any = !is_first;
  return code;
}

/* What is gone, as receipts say. It is proven if it is in the archive, and matches the seals of before. */
static void append_removals(sqlite3_str *out, const TrVerification *v) {
  char when[TR_TIMESTAMP_SIZE];
  sqlite3_str_appendall(out, ",\"removals\":[");
  for (size_t i = 1; i < v->seals.eras; i++) {
    const TrEra *era = &v->seals.era[i];
    tr_timestamp_format(era->pruned_us, when);
    sqlite3_str_appendf(out, "%s{\"pruned_at\":\"%s\"", i > 1 ? "," : "", when);
    tr_json_append_integer(out, "lines", era->gone_lines);
    tr_json_append_integer(out, "bytes", era->gone_bytes);
    tr_json_append_text(out, "receipt", era->sealed.after);
    tr_json_append_text(out, "archive", era->archive);
    sqlite3_str_appendf(out, ",\"proven\":%s}", i >= v->proven_from ? "true" : "false");
  }
  sqlite3_str_appendchar(out, 1, ']');
}

/* How many of the lines that are there now its head covers: after a prune, of the kept ones we cannot tell, so none. */
static int64_t signed_lines(const TrVerification *v) {
  const TrSeals *seals = &v->seals;
  const TrSeal *begun = &seals->era[seals->eras - 1].sealed;
  int64_t lines = memcmp(begun->head, seals->signed_head, TR_DIGEST_BYTES) == 0 ? begun->lines : 0;
  for (size_t i = 0; i < seals->count; i++) {
    const TrSeal *seal = &seals->seal[i];
    if (seal->era == seals->eras - 1 && memcmp(seal->head, seals->signed_head, TR_DIGEST_BYTES) == 0)
      lines = seal->lines;
  }
  return lines;
}

static void append_signature(sqlite3_str *out, const TrVerification *v) {
  char when[TR_TIMESTAMP_SIZE];
  size_t era, since;
  if (v->seals.signature == NULL) {
    sqlite3_str_appendall(out, ",\"signed_lines\":null,\"signed_before\":null,\"signed_head\":null,\"signature\":null");
    return;
  }
  bool is_ours = tr_seals_find_head(&v->seals, v->seals.signed_head, &era);
  if (is_ours)
    tr_json_append_integer(out, "signed_lines", signed_lines(v));
  else
    tr_json_append_text(out, "signed_lines", NULL);
  since = is_ours ? tr_verification_unproven_since(v, era) : 0;
  if (since) tr_timestamp_format(v->seals.era[since].pruned_us, when);
  tr_json_append_text(out, "signed_before", since ? when : NULL);
  tr_digest_append(out, "signed_head", v->seals.signed_head);
  tr_json_append_text(out, "signature", v->seals.signature);
}

int tr_verification_append(sqlite3_str *out, const TrVerification *v, const TrKeptHeads *heads, TrPoll *poll) {
  sqlite3_str *reasons = sqlite3_str_new(NULL);
  bool is_tampered, is_sealed = tr_seals_are_any(&v->seals);
  int code = append_reasons(reasons, v, heads, poll, &is_tampered);
  tr_result_begin(out, (TrBytes){v->job_id, v->length}, is_tampered ? "tampered" : is_sealed ? "fine" : "unsealed");
  tr_json_append_integer(out, "lines", v->sealed.lines);
  tr_json_append_integer(out, "bytes", v->sealed.bytes);
  if (is_sealed && !v->is_gone)
    tr_digest_append(out, "head", v->sealed.head);
  else
    tr_json_append_text(out, "head", NULL);
  tr_json_append_integer(out, "unsealed_lines", v->unsealed_lines);
  tr_json_append_integer(out, "unsealed_bytes", v->unsealed_bytes);
  tr_json_append_integer(out, "seals", (int64_t)v->seals.count);
  if (v->stretch.from >= 0) {
    tr_json_append_integer(out, "from", v->stretch.from);
    tr_json_append_integer(out, "to", v->stretch.to);
  } else {
    sqlite3_str_appendall(out, ",\"from\":null,\"to\":null");
  }
  char *list = sqlite3_str_finish(reasons);
  sqlite3_str_appendf(out, ",\"reasons\":[%s]", list ? list : "");
  sqlite3_free(list);
  append_removals(out, v);
  append_signature(out, v);
  sqlite3_str_appendchar(out, 1, '}');
  return code;
}
