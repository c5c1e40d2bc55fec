/*
** eras.c - the receipts of the prunes that carried a job's seals on.
**
** A prune of a sealed file ends an era, and begins the next one. Its receipt has the head of before, the SHA-256 of
** the receipt before it, and the head of a new chain over the sealed lines that stay. That chain begins with the
** SHA-256 of the receipt itself, up to where its own head follows. So each head also depends on all receipts before
** it, and on what they say was removed.
**
** The receipt is the truth: nothing is written to the seals by a prune. The receipt of a prune that has exchanged the
** files, and not ended, may still be in its pending file.
*/
#include "seal.h"

/* What an era begins with. */
static int begin_first_era(TrSeals *seals, const char *job_id, size_t length, TrChain *chain) {
  seals->era = tr_array_reserve(NULL, &seals->era_room, 1, sizeof *seals->era);
  if (seals->era == NULL) return SQLITE_NOMEM;
  seals->eras = 1;
  seals->era[0] = (TrEra){0};
  int code = tr_chain_begin(chain, job_id, length);
  memcpy(seals->era[0].start, chain->head, sizeof chain->head);
  memcpy(seals->era[0].sealed.head, chain->head, sizeof chain->head);
  return code;
}

static TrSeal sealed_before(const TrReceiptSeal *seal) {
  TrSeal before = {.lines = seal->old_lines, .bytes = seal->old_bytes};
  memcpy(before.head, seal->old_head, sizeof before.head);
  return before;
}

static TrSeal sealed_behind(const TrReceipt *receipt, size_t era) {
  const TrReceiptSeal *seal = &receipt->seal;
  TrSeal behind = {.sealed_us = receipt->pruned_us, .lines = seal->new_lines, .bytes = seal->new_bytes, .era = era};
  memcpy(behind.head, seal->new_head, sizeof behind.head);
  memcpy(behind.tail, seal->new_tail, sizeof behind.tail);
  memcpy(behind.after, receipt->id, sizeof behind.after);
  return behind;
}

static int add_era(TrSeals *seals, const TrReceipts *receipts, TrChain *chain) {
  const TrReceipt *receipt = &receipts->receipt;
  TrEra *grown = tr_array_reserve(seals->era, &seals->era_room, seals->eras + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  seals->era = grown;
  TrEra *era = &grown[seals->eras];
  *era = (TrEra){.at = receipts->line.offset, .pruned_us = receipt->pruned_us};
  era->gone_lines = receipt->lines;
  era->gone_bytes = receipt->bytes;
  era->before = sealed_before(&receipt->seal);
  era->sealed = sealed_behind(receipt, seals->eras);
  seals->eras++;
  if (receipt->archive && (era->archive = sqlite3_mprintf("%s", receipt->archive)) == NULL) return SQLITE_NOMEM;
  size_t length = tr_receipt_seal_start((const char *)receipts->line.text, (size_t)receipts->line.length);
  return tr_chain_hash(chain, receipts->line.text, length, era->start);
}

static int receipt_fault(TrSeals *seals, const TrReceipts *receipts, const char *what) {
  return tr_seals_add_fault(seals, sqlite3_mprintf("the receipt at byte %lld of %s does not chain: %s",
                                                   (long long)receipts->line.offset, receipts->name, what));
}

/* Does it hang on the receipt before it, and is it of this job? */
static int check_receipt_chain(TrSeals *seals, const TrReceipts *receipts, const char *job_id, size_t length) {
  const TrReceiptSeal *seal = &receipts->receipt.seal;
  if (strlen(seal->job_id) != length || memcmp(seal->job_id, job_id, length) != 0)
    return receipt_fault(seals, receipts, "it is of another job");
  bool is_next = seal->has_previous == seals->has_receipts &&
                 (!seal->has_previous || memcmp(seal->previous, seals->last_receipt, TR_DIGEST_BYTES) == 0);
  return is_next ? SQLITE_OK
                 : receipt_fault(seals, receipts, "the one before it is another one than when it was written");
}

static int take_receipt_of(TrSeals *seals, const TrReceipts *receipts, const char *job_id, size_t length,
                           TrChain *chain) {
  const TrReceipt *receipt = &receipts->receipt;
  const TrLine *line = &receipts->line;
  int code = SQLITE_OK;
  if (receipt->is_sealed && !receipt->is_replaced) {
    code = check_receipt_chain(seals, receipts, job_id, length);
    if (code == SQLITE_OK) code = add_era(seals, receipts, chain);
  } else if (seals->eras > 1 && !receipt->is_replaced) {
    code = receipt_fault(seals, receipts, "it says nothing of the seals");
  }
  seals->has_receipts = true;
  return code == SQLITE_OK ? tr_chain_hash(chain, line->text, (size_t)line->length, seals->last_receipt) : code;
}

/* *has_id: the receipt of that id is among them. A line that cannot be understood is a fault. */
static int take_receipts(TrSeals *seals, TrDir *folder, const char *name, const char *job_id, size_t length,
                         TrChain *chain, const char *id, bool *has_id, char **message) {
  TrReceipts receipts = {.file.fd = -1};
  char *why = NULL;
  int code = tr_receipts_open(&receipts, folder, name, seals->poll, &why);
  while (code == SQLITE_OK && (code = tr_receipts_next(&receipts, &why)) == SQLITE_ROW) {
    *has_id |= id && strcmp(receipts.receipt.id, id) == 0;
    code = take_receipt_of(seals, &receipts, job_id, length, chain);
  }
  tr_receipts_close(&receipts);
  if (code == SQLITE_CORRUPT && why) {
    code = tr_seals_add_fault(seals, why);
  } else if (why) {
    sqlite3_free(*message);
    *message = why;
  }
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

int tr_eras_load(TrSeals *seals, const TrDir *dir, const char *job_id, size_t length, TrChain *chain,
                 const char *pending, bool *again, char **message) {
  char name[TR_NAME_SIZE], pending_name[TR_PENDING_NAME_SIZE];
  TrOwnFolder folder = {.fd = -1};
  bool has_id = false;
  sqlite3_snprintf(sizeof name, name, "%.*s" TR_SUFFIX, (int)length, job_id);
  tr_receipts_pending_name(job_id, length, pending_name);
  int code = begin_first_era(seals, job_id, length, chain);
  if (code == SQLITE_OK) {
    code = tr_receipts_enter(&folder, dir->fd, dir->path, false, message);
  }
  if (code != SQLITE_OK || folder.fd < 0) return code;
  char *path = tr_receipts_path(dir->path);
  TrDir place = {.fd = folder.fd, .store = dir->store, .path = path};
  code = path ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK) code = take_receipts(seals, &place, name, job_id, length, chain, pending, &has_id, message);
  if (code == SQLITE_OK && pending && !has_id) {
    code = take_receipts(seals, &place, pending_name, job_id, length, chain, pending, &has_id, message);
    *again = !has_id; /* it has been appended, and removed */
  }
  tr_own_folder_close(&folder);
  sqlite3_free(path);
  return code;
}

int tr_eras_check(TrSeals *seals) {
  int code = SQLITE_OK;
  for (size_t i = 1; i < seals->eras && code == SQLITE_OK; i++) {
    const TrSeal last = tr_seals_last(seals, i - 1), *told = &seals->era[i].before;
    bool is_next =
        last.lines == told->lines && last.bytes == told->bytes && memcmp(last.head, told->head, sizeof last.head) == 0;
    if (is_next) continue;
    code = tr_seals_add_fault(
        seals, sqlite3_mprintf("the receipt at byte %lld does not chain: the seals before it have another head",
                               (long long)seals->era[i].at));
  }
  return code;
}
