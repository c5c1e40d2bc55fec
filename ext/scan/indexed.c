/*
** indexed.c - of the current file, the lines that the index knows (index.h): without them, or only those that are
** wanted.
**
**   0 ......................... end of the index ......... size of the file
**   records of the index        lines, as in every scan; they are added to the index
**
** A record of the index is a row without its line (tr_record_is_unread), if the query asks for nothing else and its
** `success` is a usual one. Otherwise its line is read, and parsed and filtered as ever. If most lines of a file would
** be read in this way, the file is read as if there were no index.
**
** If a line is not what the index says, the file was changed in a way that the index cannot see. Then the lines from
** there on are read one by one, and the index is not used any more.
**
** While lines are added to the index, the workers leave nothing out; the filter is applied here, behind that. So the
** rows are the same, and their order.
*/
#include "scan.h"

#include <assert.h>
#include <string.h>

#define POLL_RECORDS_EVERY 1024
#define NEAR_BYTES 4096 /* lines that are so near to each other are read at once */
#define READ_SHARE 4    /* if more than one line in so many were read, all of them are */

/* --- which scans use it ------------------------------------------------------------------------------------------- */

static bool reads_in_order(const TrScan *scan) {
  const TrFilter *filter = &scan->filter;
  if (filter->by_rowid || filter->from_offset > 0 || filter->to_offset != INT64_MAX) return false;
  return scan->want == TR_WANT_FILES || !tr_scan_is_backwards(scan);
}

static bool gains_by_index(const TrScan *scan) {
  if (scan->is_read_only || scan->mapping || scan->files.hosts.base || !reads_in_order(scan)) return false;
  switch (scan->want) {
  case TR_WANT_RECORDS: return scan->unread_are_enough || tr_filter_finds_indexed(&scan->filter);
  case TR_WANT_FILES: return !(scan->keeps_texts && scan->filter.all_segments);
  default: return scan->want == TR_WANT_REJECTS;
  }
}

static void prepare_unread(TrScanIndex *index) {
  for (unsigned i = 0; i < TR_UNREAD_LINES; i++) {
    TrParsed *parsed = &index->unread[i];
    *parsed = (TrParsed){.line = {.text = (const unsigned char *)"", .terminated = true}, .reason = TR_OK};
    for (unsigned field = 0; field <= TR_FIELD_COUNT; field++) parsed->record.field[field].kind = TR_UNREAD;
  }
}

void tr_scan_index_end(TrScan *scan) {
  TrScanIndex *index = scan->index;
  scan->index = scan->read_ahead.index = NULL;
  if (index == NULL) return;
  tr_index_place_close(&index->place);
  tr_lines_close(&index->lines);
  sqlite3_free(index);
}

int tr_scan_index_begin(TrScan *scan, const char *setting, char **message) {
  if (setting == NULL || !gains_by_index(scan)) return SQLITE_OK;
  TrScanIndex *index = sqlite3_malloc64(sizeof *index);
  if (index == NULL) return SQLITE_NOMEM;
  *index = (TrScanIndex){.place.fd = -1, .scan = scan};
  prepare_unread(index);
  scan->index = scan->read_ahead.index = index;
  int code = tr_index_place_open(&index->place, setting, &scan->files.dir, scan->max_line, NULL, message);
  if (code != SQLITE_OK || !tr_index_is_on(&index->place)) tr_scan_index_end(scan);
  return code;
}

/* --- the next record of the index --------------------------------------------------------------------------------- */

static void begin_walk(TrScanWalk *walk, const TrIndex *index) {
  *walk = (TrScanWalk){.index = index, .count = index->count};
}

/* False: no more. Leaves out blocks without any record that is wanted. */
static bool walk_next(TrScanWalk *walk, const TrFilter *filter, TrIndexed *record) {
  while (!walk->is_in_block || !tr_index_walk_next(&walk->walk, record)) {
    while (walk->block < walk->count && tr_filter_skips_block(filter, &walk->index->block[walk->block])) walk->block++;
    walk->is_in_block = walk->block < walk->count;
    if (!walk->is_in_block) return false;
    tr_index_walk_begin(&walk->walk, walk->index, walk->block++);
  }
  return true;
}

/* Would most lines be read? Then it costs less to read all of them. */
static bool reads_most(const TrScan *scan, const TrIndex *known) {
  TrScanWalk walk;
  TrIndexed record;
  uint64_t all = 0, wanted = 0, unused = 0;
  if (scan->unread_are_enough || scan->want == TR_WANT_REJECTS) return false;
  for (size_t i = 0; i < known->count; i++) all += known->block[i].records;
  begin_walk(&walk, known);
  while (wanted <= all / READ_SHARE && walk_next(&walk, &scan->filter, &record))
    wanted += tr_filter_skips_indexed(&scan->filter, &record, &unused) != TR_SKIPPED;
  return wanted > all / READ_SHARE;
}

/* --- the index of a file ------------------------------------------------------------------------------------------ */

static void free_known(TrIndex *known) {
  tr_index_free(known);
  sqlite3_free(known);
}

static void drop_known(TrFile *file) {
  if (file->index) file->free_index(file->index);
  file->index = NULL;
}

int tr_scan_index_load(TrScanIndex *index, const char *name, TrFile *file) {
  const TrScan *scan = index->scan;
  bool is_live = file->codec == TR_CODEC_PLAIN && tr_store_has_name(&tr_results_store, name, strlen(name));
  if (!is_live || file->stat.st_size < TR_INDEX_LEAST_BYTES) return SQLITE_OK;
  TrIndex *known = sqlite3_malloc64(sizeof *known);
  if (known == NULL) return SQLITE_NOMEM;
  *known = (TrIndex){0};
  file->index = known;
  file->free_index = free_known;
  int code = tr_index_load(&index->place, name, file, scan->poll, known);
  if (code != SQLITE_OK || reads_most(scan, known)) drop_known(file);
  return code;
}

void tr_scan_index_open(TrScan *scan) {
  TrScanIndex *index = scan->index;
  const TrIndex *known = scan->current.file.index;
  index->state = known && known->end > 0 ? TR_KNOWN_RECORDS : TR_KNOWN_PASSED;
  index->known_end = known ? known->end : 0;
  index->is_open = index->is_pushed_back = index->is_complete = index->is_wrong = false;
  index->untimed_before = *scan->untimed;
  index->rejects = 0;
  if (known) begin_walk(&index->walk, known);
  for (size_t i = 0; known && i < known->count; i++) index->rejects += known->block[i].rejects;
}

/* --- lines that the index knows ----------------------------------------------------------------------------------- */

static int open_known_lines(TrScan *scan, int64_t from, int64_t to) {
  TrScanIndex *index = scan->index;
  const TrFile *file = &scan->current.file;
  index->state = TR_KNOWN_LINES;
  index->lines_to = to;
  index->is_open = true;
  return tr_lines_open(&index->lines, file->fd, from, file->stat.st_size, scan->max_line, false, scan->poll);
}

/* The next line that is wanted, of those up to lines_to. SQLITE_DONE: no more. */
static int next_known_line(TrScan *scan) {
  TrScanIndex *index = scan->index;
  scan->parsed = &scan->own;
  while (tr_lines_following(&index->lines) < index->lines_to) {
    int code = tr_parse_next(&scan->parser, &index->lines, &scan->own);
    if (code != SQLITE_ROW) return code;
    if (tr_wants_line(scan->want, &scan->filter, &scan->own, scan->untimed)) return SQLITE_ROW;
  }
  return SQLITE_DONE;
}

/* The record whose line begins at the offset. SQLITE_DONE: there is none. */
static int read_known_line(TrScan *scan, int64_t offset) {
  TrScanIndex *index = scan->index;
  TrLines *lines = &index->lines;
  const TrFile *file = &scan->current.file;
  int64_t end = lines->base + (int64_t)lines->length;
  int code = SQLITE_OK;
  if (index->is_open && offset >= tr_lines_following(lines) && offset < end) {
    lines->mark = lines->searched = (size_t)(offset - lines->base);
  } else {
    bool is_near = index->is_open && offset >= end && offset - end < NEAR_BYTES;
    size_t read_bytes = is_near ? lines->read_bytes : NEAR_BYTES < TR_READ_BYTES ? NEAR_BYTES : TR_READ_BYTES;
    code = tr_lines_open(lines, file->fd, offset, file->stat.st_size, scan->max_line, false, scan->poll);
    lines->read_bytes = read_bytes;
    index->is_open = code == SQLITE_OK;
  }
  scan->parsed = &scan->own;
  if (code == SQLITE_OK) code = tr_parse_next(&scan->parser, lines, &scan->own);
  bool is_other = code == SQLITE_ROW && (scan->own.reason != TR_OK || !scan->own.line.terminated);
  return is_other ? SQLITE_DONE : code;
}

/* The file is not what the index says. */
static void forget_known(TrScan *scan) {
  tr_index_forget(&scan->index->place, scan->current.name);
  drop_known(&scan->current.file);
}

/* There is no such record at this offset. */
static int distrust(TrScan *scan, int64_t offset) {
  scan->index->is_wrong = true;
  forget_known(scan);
  return open_known_lines(scan, offset, scan->index->known_end);
}

/* The lines of the next blocks that have rejects. SQLITE_DONE: there are none. */
static int next_blocks_of_rejects(TrScan *scan) {
  TrScanWalk *walk = &scan->index->walk;
  const TrIndexBlock *block = walk->index->block;
  while (walk->block < walk->count && block[walk->block].rejects == 0) walk->block++;
  if (walk->block == walk->count) return SQLITE_DONE;
  int64_t from = block[walk->block].from;
  while (walk->block + 1 < walk->count && block[walk->block + 1].rejects) walk->block++;
  return open_known_lines(scan, from, block[walk->block++].to);
}

/* --- records that the index knows --------------------------------------------------------------------------------- */

static void set_unread(TrParsed *parsed, const TrIndexed *record) {
  static const uint8_t kind_of[] = {
      [TR_INDEXED_FALSE] = TR_FALSE, [TR_INDEXED_TRUE] = TR_TRUE, [TR_INDEXED_NULL] = TR_NULL};
  assert(record->success != TR_INDEXED_OTHER);
  parsed->line.offset = record->offset;
  parsed->record.field[TR_SUCCESS] = (TrSpan){.kind = kind_of[record->success]};
  tr_span_set_time(&parsed->record.field[TR_TIMESTAMP], record->time_us);
  if (!record->has_time) parsed->record.field[TR_TIMESTAMP] = (TrSpan){.kind = TR_UNREAD};
}

static bool take_known_record(TrScan *scan, TrIndexed *record) {
  TrScanIndex *index = scan->index;
  if (!index->is_pushed_back) return walk_next(&index->walk, &scan->filter, record);
  *record = index->record;
  index->is_pushed_back = false;
  return true;
}

/* SQLITE_OK: it is not wanted, or is no record any more; then the state has changed. */
static int ask_line(TrScan *scan, const TrIndexed *record) {
  int code = read_known_line(scan, record->offset);
  if (code == SQLITE_DONE) return distrust(scan, record->offset);
  if (code != SQLITE_ROW) return code;
  return tr_wants_line(scan->want, &scan->filter, &scan->own, scan->untimed) ? SQLITE_ROW : SQLITE_OK;
}

/* SQLITE_DONE: no more. SQLITE_OK: the state has changed. */
static int next_known_records(TrScan *scan, unsigned most, unsigned *count) {
  TrScanIndex *index = scan->index;
  TrIndexed record;
  int code = SQLITE_OK;
  unsigned passed = 0;
  if (most > TR_UNREAD_LINES) most = TR_UNREAD_LINES;
  *count = 0;
  while (*count < most && take_known_record(scan, &record)) {
    TrSkip skip = tr_filter_skips_indexed(&scan->filter, &record, scan->untimed);
    if (++passed % POLL_RECORDS_EVERY == 0) code = tr_poll(scan->poll);
    if (code != SQLITE_OK) return code;
    if (skip == TR_SKIPPED) continue;
    if (skip == TR_WANTED && scan->unread_are_enough) {
      set_unread(&index->unread[(*count)++], &record);
      continue;
    }
    index->is_pushed_back = *count > 0;
    index->record = record;
    if (index->is_pushed_back) break;
    *count = 1;
    code = ask_line(scan, &record);
    if (code != SQLITE_OK || index->state != TR_KNOWN_RECORDS) return code;
    *count = 0;
  }
  scan->parsed = index->unread;
  return *count > 0 ? SQLITE_ROW : SQLITE_DONE;
}

/* SQLITE_OK: go on behind them. */
static int next_known(TrScan *scan, unsigned most, unsigned *count) {
  TrScanIndex *index = scan->index;
  int code = SQLITE_OK;
  for (;;) {
    if (index->state != TR_KNOWN_RECORDS) {
      *count = 1;
      code = next_known_line(scan);
      if (code != SQLITE_DONE || index->state == TR_KNOWN_AGAIN) return code;
      if (scan->want != TR_WANT_REJECTS || index->is_wrong) break;
    }
    code = scan->want == TR_WANT_REJECTS ? next_blocks_of_rejects(scan) : next_known_records(scan, most, count);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_OK) return code;
  }
  index->state = TR_KNOWN_PASSED;
  *count = 1;
  return SQLITE_OK;
}

/* --- for the scan ------------------------------------------------------------------------------------------------- */

int tr_scan_index_next(TrScan *scan, unsigned most, unsigned *count, char **message) {
  int code = next_known(scan, most, count);
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return code;
  return tr_scan_file_line_error(&scan->current, &scan->index->lines, code, message);
}

int tr_scan_index_add(TrScan *scan) {
  TrIndex *known = scan->current.file.index;
  return known->takes_lines ? tr_index_add(known, &scan->own, 1) : SQLITE_OK;
}

int tr_scan_index_pass_block(TrScan *scan) {
  TrBlock *block = scan->read_ahead.block;
  unsigned wanted = 0;
  int code = SQLITE_OK;
  TrIndex *known = scan->current.file.index;
  if (known && known->takes_lines) code = tr_index_add(known, block->parsed, block->count);
  for (unsigned i = 0; i < block->count; i++) {
    const TrParsed *parsed = &block->parsed[i];
    if (!tr_wants_line(scan->want, &scan->filter, parsed, scan->untimed)) continue;
    if (wanted < i) block->parsed[wanted] = *parsed;
    wanted++;
  }
  block->count = wanted;
  return code;
}

void tr_scan_index_save(TrScan *scan) {
  TrFile *file = &scan->current.file;
  const TrBlock *block = scan->read_ahead.block;
  bool has_shrunk = block ? block->shrunk : scan->lines.has_shrunk;
  if (file->index && scan->index->is_complete && !has_shrunk)
    tr_index_save(&scan->index->place, scan->current.name, file->index);
  drop_known(file);
}

/* --- for tables with a row for each file -------------------------------------------------------------------------- */

bool tr_scan_index_rejects(const TrScan *scan, int64_t *rejects) {
  *rejects = scan->index ? scan->index->rejects : 0;
  return scan->index == NULL || !scan->index->is_wrong;
}

int tr_scan_index_read(TrScan *scan, int64_t offset, const TrParsed **parsed, char **message) {
  int code = read_known_line(scan, offset);
  *parsed = scan->parsed;
  if (code == SQLITE_ROW) return SQLITE_OK;
  if (code == SQLITE_DONE) return SQLITE_NOTFOUND;
  return tr_scan_file_line_error(&scan->current, &scan->index->lines, code, message);
}

int tr_scan_index_reread(TrScan *scan) {
  TrScanIndex *index = scan->index;
  forget_known(scan);
  *scan->untimed = index->untimed_before;
  index->rejects = 0;
  index->is_wrong = false;
  int code = open_known_lines(scan, 0, INT64_MAX);
  index->state = TR_KNOWN_AGAIN;
  return code;
}
