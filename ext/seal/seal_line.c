/*
** seal_line.c - a seal <-> its line of JSON; and a signature <-> its own.
**
**   {"sealed_at":"2026-11-28T09:00:00.000000Z","uid":1000,"version":"1.4.0","after":null,"lines":3,"bytes":312,
**    "tail":"64 digits","head":"64 digits"}
**   {"signs":"64 digits","signature":"-----BEGIN SSH SIGNATURE-----\n..."}
**
** What we do not know is ignored, since a later version may add to it; what we need must be there.
*/
#include "seal.h"

char *tr_seal_encode(const TrSeal *seal) {
  char text[TR_TIMESTAMP_SIZE], head[TR_DIGEST_TEXT_SIZE];
  sqlite3_str *out = sqlite3_str_new(NULL);
  if (seal->signature) {
    tr_digest_text(seal->head, head);
    sqlite3_str_appendf(out, "{\"signs\":\"%s\"", head);
    tr_json_append_text(out, "signature", seal->signature);
  } else {
    tr_timestamp_format(seal->sealed_us, text);
    sqlite3_str_appendf(out, "{\"sealed_at\":\"%s\",\"uid\":%lld", text, (long long)geteuid());
    tr_json_append_text(out, "version", TASKRESULTS_VERSION);
    tr_json_append_text(out, "after", seal->after[0] ? seal->after : NULL);
    sqlite3_str_appendf(out, ",\"lines\":%lld,\"bytes\":%lld", (long long)seal->lines, (long long)seal->bytes);
    tr_digest_append(out, "tail", seal->tail);
    tr_digest_append(out, "head", seal->head);
  }
  sqlite3_str_appendall(out, "}\n");
  return sqlite3_str_finish(out);
}

/* --- a line -> a seal --------------------------------------------------------------------------------------------- */

static bool take_after(const TrJson *object, TrSeal *seal) {
  const TrJson *value = tr_json_member(object, "after");
  const char *text = tr_json_text(value);
  if (text == NULL) return value && !tr_json_is_truthy(value);
  if (strlen(text) != TR_RECEIPT_ID_SIZE - 1) return false;
  memcpy(seal->after, text, TR_RECEIPT_ID_SIZE);
  return true;
}

static bool take_seal(const TrJson *object, TrSeal *seal) {
  const char *when = tr_json_text(tr_json_member(object, "sealed_at"));
  return when && tr_timestamp_parse(when, strlen(when), &seal->sealed_us) && take_after(object, seal) &&
         tr_json_count(object, "lines", &seal->lines) && tr_json_count(object, "bytes", &seal->bytes) &&
         seal->lines <= seal->bytes && (seal->lines > 0 || seal->bytes == 0) &&
         tr_digest_take(object, "tail", seal->tail) && tr_digest_take(object, "head", seal->head);
}

static int take_signature(const TrJson *object, TrSeal *seal, bool *is_fine) {
  const char *text = tr_json_text(tr_json_member(object, "signature"));
  *is_fine = text && tr_digest_take(object, "signs", seal->head);
  if (!*is_fine) return SQLITE_OK;
  seal->signature = sqlite3_mprintf("%s", text);
  return seal->signature ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_seal_parse(const char *text, size_t length, TrSeal *seal) {
  TrJson *object;
  bool is_fine = false;
  *seal = (TrSeal){0};
  int code = tr_json_parse(text, length, &object, NULL);
  if (code == SQLITE_OK && tr_json_member(object, "signature")) {
    code = take_signature(object, seal, &is_fine);
  } else if (code == SQLITE_OK) {
    is_fine = take_seal(object, seal);
  }
  tr_json_free(object);
  return code == SQLITE_OK && !is_fine ? SQLITE_CORRUPT : code;
}
