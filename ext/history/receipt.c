/*
** receipt.c - what a prune removed: counted record by record, and by days.
**
** A record belongs to the UTC day of its time. Those whose time cannot be read are counted apart. Nearly always a
** record is of the same day as the one before it, or of the next one; a clock that was set back is found by a search.
*/
#include "history.h"

#include <stdio.h>
#include <string.h>

/* The index of the first entry that is not before this day. */
static size_t find_day(const TrReceipt *receipt, int64_t day) {
  size_t from = 0, to = receipt->days;
  if (to > 0 && receipt->day[to - 1].day == day) return to - 1;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (receipt->day[middle].day < day)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static int take_day(TrReceipt *receipt, int64_t day, int64_t time_us, TrReceiptDay **taken) {
  size_t at = find_day(receipt, day);
  if (at == receipt->days || receipt->day[at].day != day) {
    if (receipt->days == TR_RECEIPT_MAX_DAYS) return SQLITE_TOOBIG;
    TrReceiptDay *grown = tr_array_reserve(receipt->day, &receipt->room, receipt->days + 1, sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    receipt->day = grown;
    memmove(grown + at + 1, grown + at, (receipt->days - at) * sizeof *grown);
    grown[at] = (TrReceiptDay){.day = day, .first_us = time_us, .last_us = time_us};
    receipt->days++;
  }
  *taken = &receipt->day[at];
  return SQLITE_OK;
}

int tr_receipt_add_record(TrReceipt *receipt, bool is_ok, bool is_timed, int64_t time_us) {
  TrReceiptDay *day;
  int64_t number;
  receipt->records++;
  receipt->failures += !is_ok;
  if (!is_timed || !tr_day_of_time(time_us, &number)) {
    receipt->untimed++;
    receipt->untimed_failures += !is_ok;
    return SQLITE_OK;
  }
  int code = take_day(receipt, number, time_us, &day);
  if (code != SQLITE_OK) return code;
  day->runs++;
  day->failures += !is_ok;
  if (time_us < day->first_us) day->first_us = time_us;
  if (time_us > day->last_us) day->last_us = time_us;
  return SQLITE_OK;
}

void tr_receipt_free(TrReceipt *receipt) {
  sqlite3_free(receipt->rule);
  sqlite3_free(receipt->day);
  sqlite3_free(receipt->archive);
  sqlite3_free(receipt->seal.job_id);
  *receipt = (TrReceipt){0};
}

int tr_receipt_make_id(char id[TR_RECEIPT_ID_SIZE]) {
  unsigned char bytes[(TR_RECEIPT_ID_SIZE - 1) / 2];
  int reason = tr_random_bytes(bytes, sizeof bytes);
  if (reason) return reason;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(id + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}
