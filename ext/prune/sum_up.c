/*
** sum_up.c - the lines that go -> their receipt.
**
** What the rules do not keep is read once more, forwards: it is counted as the tables would count it, and its SHA-256
** is taken, and if it is archived, it is compressed. Only the days need memory, and their number is limited. The file
** is as it was when the lines were chosen: others only append. If it is not, that is noticed, or the digest shows it.
*/
#include "prune.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LONG_LINE_BYTES (64 * 1024) /* read at a time, of a line that is longer than max_line */

typedef struct Sum {
  TrPrune *prune;           /* borrowed, and the next one */
  TrReceipt *receipt;       /* what is counted */
  TrDigest *digest;         /* owned; NULL: this build has none */
  TrArchiveWriter *archive; /* borrowed; NULL: nothing is archived */
  int64_t unbroken_from;    /* byte of the new file: behind the last line before which records go */
  TrLines lines;
  TrParser parser;
} Sum;

static int days_error(const Sum *sum, char **message) {
  return tr_prune_error(sum->prune, SQLITE_TOOBIG, message, 0,
                        "cannot be pruned: the records that would go are of more than %d days, and a receipt holds no "
                        "more; look at their timestamps, or prune without a receipt: 'receipt', 0, or --no-receipt",
                        TR_RECEIPT_MAX_DAYS);
}

static int shrank_error(const Sum *sum, char **message) {
  return tr_prune_error(sum->prune, SQLITE_ABORT, message, 0,
                        "shrank while it was being pruned: stop the program that truncates it");
}

static int sum_read_error(const Sum *sum, int64_t at, int reason, char **message) {
  return tr_prune_error(sum->prune, SQLITE_IOERR_READ, message, reason, "cannot be read at byte %lld", (long long)at);
}

static int add_bytes(Sum *sum, const void *bytes, size_t length, char **message) {
  int code = sum->digest ? tr_digest_add(sum->digest, bytes, length) : SQLITE_OK;
  if (code != SQLITE_OK || sum->archive == NULL) return code;
  code = tr_archive_writer_add(sum->archive, bytes, length);
  return code == SQLITE_OK ? code : tr_archive_write_error(sum->prune, code, message);
}

/* The text of such a line is not in memory. */
static int add_long_line(Sum *sum, const TrLine *line, char **message) {
  unsigned char block[LONG_LINE_BYTES];
  int64_t at = line->offset, end = at + (int64_t)line->length;
  int code = SQLITE_OK;
  while (code == SQLITE_OK && at < end) {
    size_t count = end - at < LONG_LINE_BYTES ? (size_t)(end - at) : LONG_LINE_BYTES;
    bool whole;
    int reason = tr_read_at(sum->prune->old_fd, block, count, at, &whole);
    if (reason) return sum_read_error(sum, at, reason, message);
    if (!whole) return shrank_error(sum, message);
    code = add_bytes(sum, block, count, message);
    if (code == SQLITE_OK) code = tr_poll(sum->prune->poll);
    at += (int64_t)count;
  }
  return code;
}

static int add_text(Sum *sum, const TrLine *line, char **message) {
  if (sum->digest == NULL && sum->archive == NULL) return SQLITE_OK;
  int code = line->text ? add_bytes(sum, line->text, (size_t)line->length, message) : add_long_line(sum, line, message);
  return code == SQLITE_OK ? add_bytes(sum, "\n", 1, message) : code;
}

static int begin_archived_line(Sum *sum, const TrParsed *parsed, bool is_timed, int64_t time_us, char **message) {
  TrArchivedLine line = {.length = parsed->line.length + 1, .is_timed = is_timed, .time_us = time_us};
  line.is_odd = !is_timed && parsed->reason != TR_BLANK;
  if (sum->archive == NULL) return SQLITE_OK;
  int code = tr_archive_writer_begin_line(sum->archive, &line);
  return code == SQLITE_OK ? code : tr_archive_write_error(sum->prune, code, message);
}

static int add_line_that_goes(Sum *sum, const TrParsed *parsed, char **message) {
  const TrLine *line = &parsed->line;
  int64_t time_us = 0;
  if (!line->terminated) return shrank_error(sum, message);
  sum->receipt->lines++;
  sum->receipt->bytes += (int64_t)line->length + 1;
  bool is_record = parsed->reason == TR_OK;
  bool is_timed = is_record && tr_span_time_us(line, &parsed->record.field[TR_TIMESTAMP], &time_us);
  int code = begin_archived_line(sum, parsed, is_timed, time_us, message);
  if (code == SQLITE_OK) code = add_text(sum, line, message);
  if (code != SQLITE_OK || !is_record) return code;
  code = tr_receipt_add_record(sum->receipt, tr_record_is_ok(line, &parsed->record), is_timed, time_us);
  return code == SQLITE_TOOBIG ? days_error(sum, message) : code;
}

/* `kept`: so many bytes stay before it. */
static int add_gap(Sum *sum, int64_t from, int64_t to, int64_t kept, char **message) {
  TrParsed parsed;
  TrPrune *prune = sum->prune;
  int64_t before = sum->receipt->bytes, records = sum->receipt->records;
  if (from == to) return SQLITE_OK;
  int code = tr_lines_open(&sum->lines, prune->old_fd, from, to, prune->max_line, false, prune->poll);
  while (code == SQLITE_OK && (code = tr_parse_next(&sum->parser, &sum->lines, &parsed)) == SQLITE_ROW) {
    code = add_line_that_goes(sum, &parsed, message);
  }
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT) {
    return sum_read_error(sum, tr_lines_position(&sum->lines), errno, message);
  }
  if (sum->receipt->records > records) sum->unbroken_from = kept;
  if (code == SQLITE_DONE && sum->receipt->bytes - before != to - from) return shrank_error(sum, message);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int add_gaps(Sum *sum, char **message) {
  const TrSelection *selection = &sum->prune->selection;
  int64_t from = 0, kept = 0;
  int code = SQLITE_OK;
  for (size_t i = 0; i < selection->count && code == SQLITE_OK; i++) {
    code = add_gap(sum, from, selection->range[i].from, kept, message);
    from = selection->range[i].to;
    kept += from - selection->range[i].from;
  }
  return code == SQLITE_OK ? add_gap(sum, from, selection->end, kept, message) : code;
}

/* --- from where on no run is missing ------------------------------------------------------------------------------ */

/* Where a byte of the old file, or the first one behind it that stays, is in the new one. */
static int64_t place_in_new_file(const TrSelection *selection, int64_t at) {
  int64_t kept = 0;
  for (size_t i = 0; i < selection->count && selection->range[i].from < at; i++) {
    int64_t to = selection->range[i].to;
    kept += (to < at ? to : at) - selection->range[i].from;
  }
  return kept;
}

static int unbroken_error(const Sum *sum, int code, int reason, char **message) {
  if (code == SQLITE_NOMEM || code == SQLITE_INTERRUPT) return code;
  return tr_prune_error(sum->prune, code, message, reason,
                        "cannot be pruned: its receipts, or the copy of its lines, cannot be read");
}

/* Runs may have been missing before. */
static int carry_unbroken(Sum *sum, char **message) {
  TrPrune *prune = sum->prune;
  TrFile old = {.fd = prune->old_fd, .stat = prune->old_stat};
  TrReceipt *receipt = sum->receipt;
  int64_t before;
  int code = tr_unbroken_of_receipts(prune->receipt.fd, prune->dir->fd, prune->file_name, &old, prune->poll, &before);
  if (code != SQLITE_OK) return unbroken_error(sum, code, errno, message);
  before = place_in_new_file(&prune->selection, before);
  receipt->unbroken_from = before > sum->unbroken_from ? before : sum->unbroken_from;
  int reason = tr_unbroken_hash(prune->live_fd, receipt->unbroken_from, &receipt->unbroken_hash);
  return reason ? unbroken_error(sum, SQLITE_IOERR_READ, reason, message) : SQLITE_OK;
}

/* --- what else a receipt tells ------------------------------------------------------------------------------------ */

static void append_rule_number(sqlite3_str *out, const char *name, int64_t number) {
  sqlite3_str_appendf(out, "%s%s %lld", sqlite3_str_length(out) ? ", " : "", name, (long long)number);
}

static void append_rule_text(sqlite3_str *out, const char *name, const char *text) {
  sqlite3_str_appendf(out, "%s%s%s", sqlite3_str_length(out) ? ", " : "", name, text);
}

static char *rule_of(const TrPruneOptions *options) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  char since[TR_TIMESTAMP_SIZE] = "";
  if (options->by_count) append_rule_number(out, "keep", options->keep);
  if (options->by_time) {
    tr_timestamp_format(options->since_us, since);
    append_rule_text(out, "since ", since);
  }
  if (options->keep_failures) append_rule_number(out, "keep_failures", options->keep_failures);
  if (options->by_size) append_rule_number(out, "max_bytes", options->max_bytes);
  if (options->drop_rejects) append_rule_text(out, "drop_rejects", "");
  if (options->unshipped) append_rule_text(out, "unshipped", "");
  if (options->force) append_rule_text(out, "force", "");
  if (options->offline) append_rule_text(out, "offline", "");
  if (options->archive) append_rule_text(out, "archive", "");
  return sqlite3_str_finish(out);
}

static int describe_prune(TrPrune *prune, TrReceipt *receipt, char **message) {
  const TrSelection *selection = &prune->selection;
  struct stat live;
  if (fstat(prune->live_fd, &live) != 0) {
    int reason = errno;
    return tr_prune_error(prune, SQLITE_IOERR_FSTAT, message, reason, "its copy cannot be examined");
  }
  receipt->pruned_us = tr_clock_us();
  receipt->rule = rule_of(prune->options);
  receipt->uid = geteuid();
  receipt->max_line = (int64_t)prune->max_line;
  receipt->old = (TrReceiptFile){prune->old_stat.st_dev, prune->old_stat.st_ino, selection->end};
  receipt->new = (TrReceiptFile){live.st_dev, live.st_ino, selection->kept_bytes};
  receipt->kept = selection->range;
  receipt->kept_count = selection->count;
  bool is_suffix = selection->count == 1 && selection->range[0].to == selection->end;
  receipt->is_scattered = selection->count > 0 && !is_suffix;
  if (prune->archive.is_made) receipt->archive = sqlite3_mprintf("%s", prune->archive.name);
  return receipt->rule && (receipt->archive || !prune->archive.is_made) ? SQLITE_OK : SQLITE_NOMEM;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int digest_error(const TrPrune *prune, int code, const char *cause, char **message) {
  if (code == SQLITE_NOMEM) return code;
  return tr_prune_error(prune, code, message, 0,
                        "cannot be pruned: %s; install it, or prune without a receipt: 'receipt', 0, or --no-receipt",
                        cause ? cause : "there is no SHA-256");
}

int tr_sum_up(TrPrune *prune, TrReceipt *receipt, char **message) {
  Sum sum = {.prune = prune, .receipt = receipt};
  char *cause = NULL;
  if (prune->archive.is_made) sum.archive = &prune->archive.writer;
  tr_parser_init(&sum.parser);
  int code = tr_digest_new(&sum.digest, &cause);
  if (code != SQLITE_OK) code = digest_error(prune, code, cause, message);
  sqlite3_free(cause);
  if (code == SQLITE_OK) code = add_gaps(&sum, message);
  if (code == SQLITE_OK && sum.digest) code = tr_digest_end(sum.digest, receipt->sha256);
  if (code == SQLITE_OK) code = carry_unbroken(&sum, message);
  if (code == SQLITE_OK) code = describe_prune(prune, receipt, message);
  tr_lines_close(&sum.lines);
  tr_digest_free(sum.digest);
  if (code != SQLITE_OK) tr_receipt_free(receipt);
  return code;
}
