/*
** receipts.c - fuzz target: any bytes as a job's file of receipts. Each line is a receipt, or an error with its byte,
** or the beginning of one that a kill cut short. What was understood is the same when it is written anew and read
** again.
**
** Aimed at ext/history/receipts.c, receipt_line.c and receipt.c.
*/
#include "tr.h"

#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"
#include "place.h"

#define RECEIPTS_NAME "j.jsonl"

static char receipts_place[256];
static TrDir receipts_folder = {.fd = -1, .store = &tr_results_store, .path = "results"};

static void remove_place(void) {
  unlinkat(receipts_folder.fd, RECEIPTS_NAME, 0);
  rmdir(receipts_place);
}

static void make_place(void) {
  receipts_folder.fd = fuzz_make_place("receipts", receipts_place);
  atexit(remove_place);
}

static void put_file(const uint8_t *data, size_t size) {
  int fd = openat(receipts_folder.fd, RECEIPTS_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  close(fd);
}

static bool is_same_text(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void must_be_same(const TrReceipt *a, const TrReceipt *b) {
  MUST(strcmp(a->id, b->id) == 0 && strcmp(a->sha256, b->sha256) == 0);
  MUST(is_same_text(a->rule, b->rule) && is_same_text(a->archive, b->archive));
  MUST(a->pruned_us == b->pruned_us && a->uid == b->uid && a->max_line == b->max_line);
  MUST(a->lines == b->lines && a->records == b->records && a->failures == b->failures && a->bytes == b->bytes);
  MUST(a->untimed == b->untimed && a->untimed_failures == b->untimed_failures);
  MUST(a->is_replaced == b->is_replaced && a->days == b->days);
  MUST(a->unbroken_from == b->unbroken_from && a->unbroken_hash == b->unbroken_hash);
  for (size_t i = 0; i < a->days; i++) {
    const TrReceiptDay *x = &a->day[i], *y = &b->day[i];
    MUST(x->day == y->day && x->runs == y->runs && x->failures == y->failures);
    MUST(x->first_us == y->first_us && x->last_us == y->last_us);
  }
}

/* What table rows are made of: sums are those of the days, which are in ascending order. */
static void must_add_up(const TrReceipt *receipt) {
  int64_t runs = receipt->untimed, failures = receipt->untimed_failures;
  for (size_t i = 0; i < receipt->days; i++) {
    const TrReceiptDay *day = &receipt->day[i];
    MUST(i == 0 || receipt->day[i - 1].day < day->day);
    MUST(day->first_us <= day->last_us && 0 <= day->failures && day->failures <= day->runs);
    runs += day->runs;
    failures += day->failures;
  }
  MUST(runs == receipt->records && failures == receipt->failures && receipt->records <= receipt->lines);
}

static void check_receipt(const TrReceipt *receipt) {
  TrReceipt again = {0};
  char *message = NULL, *line = tr_receipt_encode(receipt);
  MUST(line != NULL);
  size_t length = strlen(line);
  MUST(length > 0 && line[length - 1] == '\n' && memchr(line, '\n', length) == line + length - 1);
  MUST(tr_receipt_parse(line, length - 1, &again, &message) == SQLITE_OK && message == NULL);
  must_be_same(receipt, &again);
  must_add_up(receipt);
  tr_receipt_free(&again);
  sqlite3_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  TrReceipts receipts = {0};
  TrPoll poll = {0};
  char *message = NULL;
  int64_t offset = -1;
  if (receipts_folder.fd < 0) make_place();
  put_file(data, size);
  int code = tr_receipts_open(&receipts, &receipts_folder, RECEIPTS_NAME, &poll, &message);
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = tr_receipts_next(&receipts, &message);
    if (code != SQLITE_ROW) break;
    MUST(receipts.line.offset > offset);
    offset = receipts.line.offset;
    check_receipt(&receipts.receipt);
  }
  MUST(code == SQLITE_DONE ? message == NULL : message != NULL && strstr(message, RECEIPTS_NAME) != NULL);
  sqlite3_free(message);
  tr_receipts_close(&receipts);
  return 0;
}
