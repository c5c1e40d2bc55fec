/*
** seals.c - what is known of a job: its seals.
**
** .taskresults/seals/JOB.jsonl has a line for each seal, and only grows. A kill can leave the beginning of a line at
** its end: that is no seal yet, and the next one cuts it off. Any other line that is no seal, and seals that
** contradict each other, are faults: nobody of us writes such a file.
*/
#include "seal.h"

#include <errno.h>

static int seals_error(const TrDir *dir, const char *name, int code, const char *cause, char **message) {
  return tr_error(message, code, TR_SEALS_WHAT ", %s/" TR_OWN_FOLDER "/" TR_SEALS_FOLDER "/%s: %s", dir->path, name,
                  cause);
}

char *tr_seals_path(const char *dir_path) {
  return sqlite3_mprintf("%s/" TR_OWN_FOLDER "/" TR_SEALS_FOLDER, dir_path);
}

int tr_seals_add_fault(TrSeals *seals, char *text) {
  int code = text ? tr_name_list_add(&seals->faults, text, strlen(text)) : SQLITE_NOMEM;
  sqlite3_free(text);
  return code;
}

/* --- one seal ----------------------------------------------------------------------------------------------------- */

TrSeal tr_seals_last(const TrSeals *seals, size_t era) {
  for (size_t i = seals->count; i-- > 0;) {
    if (seals->seal[i].era == era) return seals->seal[i];
  }
  return seals->era[era].sealed;
}

/* Seals follow each other, through the eras. */
static bool find_era(const TrSeals *seals, const TrSeal *seal, size_t *era) {
  size_t from = seals->count ? seals->seal[seals->count - 1].era : 0;
  for (*era = from; *era < seals->eras; ++*era) {
    if (strcmp(seals->era[*era].sealed.after, seal->after) == 0) return true;
  }
  return false;
}

static int add_seal(TrSeals *seals, TrSeal *seal) {
  if (!find_era(seals, seal, &seal->era)) {
    return tr_seals_add_fault(seals,
                              sqlite3_mprintf("the seal at byte %lld belongs behind the receipt %s, which is not there",
                                              (long long)seal->at, seal->after[0] ? seal->after : "(none)"));
  }
  TrSeal before = tr_seals_last(seals, seal->era);
  if (seal->bytes < before.bytes || seal->lines < before.lines) {
    return tr_seals_add_fault(
        seals, sqlite3_mprintf("the seal at byte %lld is of less than the one before it", (long long)seal->at));
  }
  TrSeal *grown = tr_array_reserve(seals->seal, &seals->room, seals->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  seals->seal = grown;
  grown[seals->count++] = *seal;
  return SQLITE_OK;
}

static int take_seal_line(TrSeals *seals, const TrLine *line) {
  TrSeal seal = {0};
  int code = line->too_long ? SQLITE_CORRUPT : tr_seal_parse((const char *)line->text, (size_t)line->length, &seal);
  if (code == SQLITE_CORRUPT) {
    return tr_seals_add_fault(
        seals, sqlite3_mprintf("the line at byte %lld of the seals is no seal", (long long)line->offset));
  }
  if (code != SQLITE_OK) return code;
  seal.at = line->offset;
  if (seal.signature == NULL) return add_seal(seals, &seal);
  sqlite3_free(seals->signature);
  seals->signature = seal.signature;
  memcpy(seals->signed_head, seal.head, sizeof seal.head);
  return SQLITE_OK;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int read_seals(TrSeals *seals, const TrDir *dir, const char *name, const TrFile *file, char **message) {
  TrLines lines = {.fd = -1};
  TrLine line;
  int code = tr_lines_open(&lines, file->fd, 0, file->stat.st_size, TR_SEAL_LINE_BYTES, false, seals->poll);
  while (code == SQLITE_OK && (code = tr_lines_next(&lines, &line)) == SQLITE_ROW) {
    code = SQLITE_OK;
    if (!line.terminated) break;
    code = take_seal_line(seals, &line);
    seals->whole = line.offset + (int64_t)line.length + 1;
  }
  int reason = errno;
  tr_lines_close(&lines);
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT)
    return seals_error(dir, name, code, strerror(reason), message);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int load_seals(TrSeals *seals, const TrDir *dir, const char *name, char **message) {
  TrOwnFolder folder;
  TrFile file = {.fd = -1};
  TrEntry entry = TR_ENTRY_VANISHED;
  int code = tr_own_folder_open(&folder, dir->fd, dir->path, TR_SEALS_FOLDER, false, TR_SEALS_WHAT, message);
  if (code != SQLITE_OK || folder.fd < 0) return code;
  char *path = tr_seals_path(dir->path);
  TrDir place = {.fd = folder.fd, .store = dir->store, .path = path};
  code = path ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = tr_dir_open_file(&place, name, seals->poll, &file, &entry);
  if (code == SQLITE_OK && entry == TR_ENTRY_IRREGULAR) {
    code = tr_seals_add_fault(seals, sqlite3_mprintf("the file of the seals is %s", tr_file_type(file.stat.st_mode)));
  } else if (code == SQLITE_OK && entry == TR_ENTRY_UNREADABLE) {
    code = seals_error(dir, name, SQLITE_CANTOPEN, strerror(file.error_number), message);
  } else if (code == SQLITE_OK && entry == TR_ENTRY_READABLE) {
    code = read_seals(seals, dir, name, &file, message);
  }
  tr_file_close(&file);
  tr_own_folder_close(&folder);
  sqlite3_free(path);
  return code;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

int tr_seals_load(TrSeals *seals, const TrDir *dir, const char *job_id, size_t length, TrChain *chain, TrPoll *poll,
                  const char *pending, bool *again, char **message) {
  char name[TR_NAME_SIZE];
  sqlite3_snprintf(sizeof name, name, "%.*s" TR_SUFFIX, (int)length, job_id);
  *seals = (TrSeals){.poll = poll};
  *again = false;
  int code = tr_eras_load(seals, dir, job_id, length, chain, pending, again, message);
  if (code == SQLITE_OK) code = load_seals(seals, dir, name, message);
  if (code == SQLITE_OK) code = tr_eras_check(seals);
  if (code != SQLITE_OK) tr_seals_free(seals);
  return code;
}

bool tr_seals_are_any(const TrSeals *seals) {
  return seals->count > 0 || seals->eras > 1 || seals->faults.count > 0;
}

bool tr_seals_find_head(const TrSeals *seals, const unsigned char head[TR_DIGEST_BYTES], size_t *era) {
  bool is_found = false;
  *era = 0;
  for (size_t i = seals->count; i-- > 0 && !is_found;) {
    is_found = memcmp(seals->seal[i].head, head, TR_DIGEST_BYTES) == 0;
    if (is_found) *era = seals->seal[i].era;
  }
  for (size_t i = seals->eras; i-- > *era + 1;) {
    if (memcmp(seals->era[i].sealed.head, head, TR_DIGEST_BYTES) != 0) continue;
    *era = i;
    return true;
  }
  return is_found;
}

bool tr_seals_have_head(const TrSeals *seals, const unsigned char head[TR_DIGEST_BYTES]) {
  size_t era;
  return tr_seals_find_head(seals, head, &era);
}

void tr_seals_free(TrSeals *seals) {
  for (size_t i = 0; i < seals->eras; i++) sqlite3_free(seals->era[i].archive);
  sqlite3_free(seals->era);
  sqlite3_free(seals->seal);
  sqlite3_free(seals->signature);
  tr_name_list_free(&seals->faults);
  *seals = (TrSeals){0};
}
