/*
** scan.c - one pass over the lines that a filter wants: files, lines and records together.
**
** It goes through the list's entries, line by line, up to the next line that the table wants. After a few megabytes,
** more are likely to follow, so threads start to read ahead (workers.c): then the lines come from blocks, the same
** lines in the same order. Unusual entries and lines are read here when their turn comes, as if there were no blocks.
**
** For a table with a row for each file (TR_WANT_FILES), the caller makes the two steps itself: to the next file, and to
** its next lines, records and rejects alike. Each file is then read completely and forwards, whatever the order of the
** files.
*/
#include "scan.h"

#include <limits.h>
#include <string.h>

/* --- the next entry ----------------------------------------------------------------------------------------------- */

/* Does the filter ask for a single line? */
static bool is_one_line(const TrScan *scan) {
  return scan->filter.by_rowid && scan->want != TR_WANT_FILES;
}

/* Reads forwards from `from`: the first line is the first that begins there or later. */
static int open_lines_behind(TrScan *scan, int64_t from) {
  const TrFile *file = &scan->current.file;
  bool skips = from > 0;
  int code = tr_lines_open(&scan->lines, file->fd, from - skips, file->stat.st_size, scan->max_line, false, scan->poll);
  if (code == SQLITE_OK && skips) code = tr_lines_next(&scan->lines, &scan->own.line);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool reads_backwards(const TrScan *scan) {
  return tr_scan_is_backwards(scan) && !is_one_line(scan) && scan->want != TR_WANT_FILES;
}

static int begin_compressed(TrScan *scan, char **message) {
  const TrFile *file = &scan->current.file;
  tr_read_ahead_look_at(&scan->read_ahead, 0, file->stat.st_size, false);
  scan->run_from = scan->filter.from_offset;
  scan->run_to = INT64_MAX;
  int code = reads_backwards(scan) ? tr_history_open_lines_back(scan->files.history, &scan->lines, file)
                                   : tr_history_open_lines(scan->files.history, &scan->lines, file, file->codec);
  return code == SQLITE_OK ? code : tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
}

static int begin_frames(TrScan *scan, char **message) {
  bool backwards = reads_backwards(scan);
  int64_t size = scan->current.file.stat.st_size;
  int code = tr_frame_run_begin(scan, backwards);
  int64_t from = backwards ? 0 : tr_lines_following(&scan->lines);
  tr_read_ahead_look_at(&scan->read_ahead, from, size, !backwards && scan->filter.to_offset >= size);
  return code == SQLITE_OK ? code : tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
}

static int begin_lines(TrScan *scan, char **message) {
  const TrFile *file = &scan->current.file;
  if (file->frames) return begin_frames(scan, message);
  if (file->codec != TR_CODEC_PLAIN) return begin_compressed(scan, message);
  int64_t from = scan->index ? scan->index->known_end : scan->filter.from_offset, size = file->stat.st_size;
  bool one_line = is_one_line(scan), backwards = reads_backwards(scan);
  int code = SQLITE_OK;
  scan->run_from = from;
  scan->run_to = INT64_MAX;
  if (one_line) code = tr_scan_file_seek(&scan->current, scan->filter.rowid, &from, &size, message);
  if (code != SQLITE_OK) return code;
  if (from > size) from = size;
  bool to_end = scan->filter.to_offset >= size; /* blocks would read on to the end */
  tr_read_ahead_look_at(&scan->read_ahead, from, size, !one_line && !backwards && to_end);
  if (one_line || backwards || scan->index)
    code = tr_lines_open(&scan->lines, file->fd, from, size, scan->max_line, backwards, scan->poll);
  else
    code = open_lines_behind(scan, from);
  return code == SQLITE_OK ? code : tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
}

static int load_index(TrScan *scan) {
  if (scan->index == NULL) return SQLITE_OK;
  int code = tr_scan_index_load(scan->index, scan->current.name, &scan->current.file);
  if (code == SQLITE_OK) tr_scan_index_open(scan);
  return code;
}

/* Moves to the next entry of the list. SQLITE_ROW: the entry as a whole is a reject. SQLITE_OK: read its lines. */
static int next_entry(TrScan *scan, char **message) {
  int code = tr_read_ahead_next_file(&scan->read_ahead, &scan->current);
  scan->reader.frames = NULL;
  if (code == SQLITE_OK && scan->read_ahead.block && scan->index) tr_scan_index_open(scan);
  if (code != SQLITE_OK || scan->read_ahead.block) return code;
  code = tr_scan_file_open_next(&scan->current, message);
  if (code == SQLITE_ROW) {
    scan->own.line = (TrLine){0};
    scan->parsed = &scan->own;
  }
  if (code != SQLITE_OK || scan->current.file.fd < 0) return code;
  code = load_index(scan);
  return code == SQLITE_OK ? begin_lines(scan, message) : code;
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

/* Most lines are records, of which nothing is asked: they are decided here. */
static bool wants_line(TrScan *scan) {
  if (scan->own.reason == TR_OK && !scan->filter.of_records) return scan->want != TR_WANT_REJECTS;
  return tr_wants_line(scan->want, &scan->filter, &scan->own, scan->untimed);
}

static int read_line(TrScan *scan) {
  scan->parsed = &scan->own;
  int code = tr_parse_next(&scan->parser, &scan->lines, &scan->own);
  if (code != SQLITE_ROW || scan->current.file.index == NULL) return code;
  int added = tr_scan_index_add(scan);
  return added == SQLITE_OK ? code : added;
}

/* Does the line lie outside the offsets that are read now? */
static bool is_past_offsets(const TrScan *scan) {
  int64_t offset = scan->own.line.offset;
  if (!scan->lines.backwards) return offset > scan->filter.to_offset;
  return (uint64_t)(offset - scan->run_from) >= (uint64_t)(scan->run_to - scan->run_from);
}

/* SQLITE_DONE: all that follow do, too. */
static int pass_offsets(TrScan *scan) {
  return scan->lines.backwards && scan->current.file.frames ? tr_frame_run_pass(scan) : SQLITE_DONE;
}

/* The rest of a compressed file cannot be read. That is one reject, and the end. */
static int end_damaged(TrScan *scan) {
  TrLines *lines = &scan->lines;
  scan->own = (TrParsed){.line = {.offset = tr_lines_following(lines), .terminated = true}, .reason = TR_DAMAGED};
  lines->mark = lines->searched = lines->length;
  lines->end = lines->base + (int64_t)lines->length;
  return wants_line(scan) ? SQLITE_ROW : SQLITE_DONE;
}

/* A frame is damaged, but it is known where the next one begins. SQLITE_ROW: that is a reject. */
static int pass_damage(TrScan *scan) {
  bool is_reject = tr_frame_run_is_reject(scan) && wants_line(scan);
  TrParsed reject = scan->own;
  int code = tr_frame_run_go_on(scan);
  scan->own = reject;
  return code == SQLITE_OK && is_reject ? SQLITE_ROW : code;
}

/* There is no next line. SQLITE_OK: go on. */
static int end_lines(TrScan *scan, int code, char **message) {
  bool has_frames = scan->current.file.frames;
  if (code == SQLITE_DONE && !has_frames) return code;
  if (code == SQLITE_DONE)
    code = tr_frame_run_next(scan);
  else if (code == SQLITE_CORRUPT)
    code = has_frames ? pass_damage(scan) : end_damaged(scan);
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return code;
  return tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
}

/* Reads line by line. SQLITE_OK: it is time for blocks. */
static int next_line(TrScan *scan, char **message) {
  bool one_line = is_one_line(scan);
  while (tr_lines_following(&scan->lines) < scan->read_ahead.begins_at) {
    int code = read_line(scan);
    bool is_end = code != SQLITE_ROW;
    if (is_end || is_past_offsets(scan)) {
      code = is_end ? end_lines(scan, code, message) : pass_offsets(scan);
      if (code != SQLITE_OK) return code;
      continue;
    }
    bool wanted = wants_line(scan);
    if (one_line) tr_file_close(&scan->current.file); /* only one is wanted; it stays in the buffer */
    if (wanted) return SQLITE_ROW;
    if (one_line) return SQLITE_DONE;
  }
  return SQLITE_OK;
}

/* Moves to the first line that the current block left. If the block could not be read, that line is searched for. */
static int open_lines_left(TrScan *scan) {
  const TrBlock *block = scan->read_ahead.block;
  if (scan->current.file.frames) return tr_frame_run_open_left(scan, block->stopped_at, !block->unread);
  if (block->unread) return open_lines_behind(scan, block->from);
  return tr_lines_open(&scan->lines, scan->current.file.fd, block->stopped_at, scan->current.file.stat.st_size,
                       scan->max_line, false, scan->poll);
}

/* The next line that the current block left. SQLITE_DONE: no more. */
static int next_line_left(TrScan *scan, char **message) {
  TrBlock *block = scan->read_ahead.block;
  int code = SQLITE_OK;
  if (!scan->read_ahead.by_line) {
    code = open_lines_left(scan);
    scan->read_ahead.by_line = code == SQLITE_OK;
  }
  while (code == SQLITE_OK && tr_lines_following(&scan->lines) < block->to) {
    code = read_line(scan);
    if (code == SQLITE_ROW && !wants_line(scan)) code = SQLITE_OK;
  }
  if (code == SQLITE_ROW) return code;
  if (code == SQLITE_CORRUPT) {
    block->stopped_at = block->to;
    return tr_frame_run_is_reject(scan) && wants_line(scan) ? SQLITE_ROW : SQLITE_DONE;
  }
  if (code != SQLITE_OK && code != SQLITE_DONE)
    return tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
  block->shrunk = code == SQLITE_DONE; /* else there would be a line */
  block->stopped_at = block->to;
  return SQLITE_DONE;
}

static int pass_block(TrScan *scan) {
  scan->read_ahead.is_new_block = false;
  return scan->index ? tr_scan_index_pass_block(scan) : SQLITE_OK;
}

/* The next lines from blocks: those that the current block has, but at most `most`. */
static int next_from_blocks(TrScan *scan, unsigned most, unsigned *count, char **message) {
  for (;;) {
    TrBlock *block = scan->read_ahead.block;
    if (scan->read_ahead.is_new_block) {
      int passed = pass_block(scan);
      if (passed != SQLITE_OK) return passed;
    }
    unsigned left = block->count - scan->read_ahead.given;
    if (left > 0) {
      *count = left < most ? left : most;
      scan->parsed = &block->parsed[scan->read_ahead.given];
      scan->read_ahead.given += *count;
      return SQLITE_ROW;
    }
    if (block->stopped_at < block->to && !block->shrunk) {
      int code = next_line_left(scan, message);
      if (code != SQLITE_DONE) return code;
    }
    if (block->shrunk || block->to == scan->current.file.stat.st_size) return SQLITE_DONE;
    int code = tr_read_ahead_next_block(&scan->read_ahead);
    if (code != SQLITE_OK) return code;
  }
}

/* Starts with blocks from the next line on, if that is worth it. */
static int begin_blocks(TrScan *scan) {
  static const TrFilter all = {0}; /* with an index, what is not wanted is left out behind it */
  TrWanted wanted = {.want = scan->want, .filter = &scan->filter, .mapping = scan->mapping, .max_line = scan->max_line};
  if (scan->index) {
    wanted.want = TR_WANT_FILES;
    wanted.filter = &all;
  }
  return tr_read_ahead_begin(&scan->read_ahead, &scan->current, tr_lines_following(&scan->lines), &wanted);
}

/* SQLITE_ROW, SQLITE_DONE at the end of the entry, or an error. */
static int next_lines(TrScan *scan, unsigned most, unsigned *count, char **message) {
  *count = 1;
  if (scan->index && scan->index->state != TR_KNOWN_PASSED) {
    int code = tr_scan_index_next(scan, most, count, message);
    if (code != SQLITE_OK) return code;
  }
  while (scan->read_ahead.block == NULL) {
    int code = next_line(scan, message);
    if (code != SQLITE_OK) return code;
    code = begin_blocks(scan);
    if (code != SQLITE_OK) return code;
  }
  return next_from_blocks(scan, most, count, message);
}

/* All lines of the file have been read. */
static void complete_file(TrScan *scan) {
  if (scan->index) scan->index->is_complete = true;
}

static int leave_file(TrScan *scan) {
  if (scan->index) tr_scan_index_save(scan);
  return tr_read_ahead_leave_file(&scan->read_ahead, &scan->current);
}

/* Moves on to the job's next segment that can be read. SQLITE_DONE: there is none. */
static int next_segment(TrScan *scan, char **message) {
  int code = leave_file(scan);
  while (code == SQLITE_OK && scan->current.file.fd < 0)
    code = scan->current.file.has_more ? next_entry(scan, message) : SQLITE_DONE;
  return code;
}

/* Not inlined: its caller is called for each line. */
__attribute__((noinline)) static int next_lines_of_segments(TrScan *scan, unsigned most, unsigned *count,
                                                            char **message) {
  int code;
  do {
    code = next_segment(scan, message);
    if (code == SQLITE_OK) code = next_lines(scan, most, count, message);
    if (code == SQLITE_DONE) complete_file(scan);
  } while (code == SQLITE_DONE && scan->current.file.has_more);
  return code;
}

int tr_scan_next_lines(TrScan *scan, unsigned most, const TrParsed **lines, unsigned *count, char **message) {
  int code = next_lines(scan, most, count, message);
  if (code == SQLITE_DONE) complete_file(scan);
  if (code == SQLITE_DONE && scan->current.file.has_more) code = next_lines_of_segments(scan, most, count, message);
  *lines = scan->parsed;
  return code;
}

/* --- the scan ----------------------------------------------------------------------------------------------------- */

int tr_scan_next(TrScan *scan, char **message) {
  for (;;) {
    if (scan->current.reason) tr_scan_file_forget(&scan->current);
    if (scan->current.file.fd >= 0) {
      unsigned one;
      int code = next_lines(scan, 1, &one, message);
      if (code == SQLITE_DONE) {
        complete_file(scan);
        code = leave_file(scan);
      }
      if (code != SQLITE_OK) return code;
    }
    int code = next_entry(scan, message);
    if (code != SQLITE_OK) return code;
  }
}

/* Skips entries that vanished or are not files. */
int tr_scan_next_file(TrScan *scan, char **message) {
  int code = leave_file(scan);
  if (code == SQLITE_OK) {
    do {
      code = next_entry(scan, message);
    } while (code == SQLITE_OK && scan->current.file.fd < 0);
  }
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

/* Frees everything but the buffers, which the next pass uses again. */
static void release_files(TrScan *scan) {
  tr_unbroken_end(&scan->unbroken);
  scan->unbroken_path = NULL;
  tr_read_ahead_stop(&scan->read_ahead);
  tr_scan_index_end(scan);
  tr_filter_free(&scan->filter);
  tr_scan_file_close(&scan->current);
  tr_file_list_close(&scan->files);
  tr_mapping_free(scan->mapping);
  sqlite3_free(scan->mapped);
  scan->mapping = NULL;
  scan->mapped = NULL;
}

/* What the plan took for granted may not be true any more: a mapping's file can be edited, and the environment. */
static int begin_mapping(TrScan *scan, const TrSettings *settings, char **message) {
  TrFilter *filter = &scan->filter;
  int code = tr_settings_mapping(settings, &scan->mapping, message);
  TrMapping *mapping = scan->mapping;
  scan->files.mapping = mapping;
  if (code != SQLITE_OK || mapping == NULL) return code;
  scan->mapped = sqlite3_malloc64(sizeof *scan->mapped);
  if (scan->mapped == NULL) return SQLITE_NOMEM;
  tr_parser_map(&scan->parser, scan->mapped, mapping);
  filter->jobs_in_records = mapping->job_in_record;
  bool is_by_job = filter->order == TR_ORDER_JOB || filter->order == TR_ORDER_JOB_DESC;
  if (is_by_job && mapping->job_in_record)
    return tr_error(message, SQLITE_ERROR, "the mapping was changed while the query was planned; run it again");
  if (!filter->all_segments || tr_mapping_has_segments(mapping)) return SQLITE_OK;
  return tr_error(
      message, SQLITE_ERROR,
      "only the live files can be read (segments=live): under a mapping, rotated files are known only where "
      "\"job\" is \"file\", and \"files\" has something behind its *");
}

int tr_scan_begin(TrScan *scan, const TrSettings *settings, TrFilter *filter, char **message) {
  TrScanSettings read;
  release_files(scan);
  scan->filter = *filter;
  *filter = (TrFilter){0};
  tr_parser_init(&scan->parser);
  int code = begin_mapping(scan, settings, message);
  scan->filter.of_records = tr_filter_is_of_records(&scan->filter);
  if (code == SQLITE_OK) code = tr_settings_read(settings, &read, message);
  if (code != SQLITE_OK) return code;
  scan->max_line = read.max_line;
  scan->read_ahead.threads = read.threads;
  scan->read_ahead.starts_at = scan->filter.from_offset;
  scan->current.skips_unreadable = read.skips_unreadable;
  code = tr_file_list_open(&scan->files, settings, &scan->filter, message);
  return code == SQLITE_OK ? tr_scan_index_begin(scan, read.index, message) : code;
}

void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want) {
  *scan = (TrScan){.poll = poll, .want = want, .untimed = &connection->untimed, .is_read_only = connection->read_only};
  tr_file_list_init(&scan->files, connection->names, poll, want == TR_WANT_REJECTS ? TR_FOR_REJECTS : TR_FOR_RECORDS);
  tr_read_ahead_init(&scan->read_ahead, &scan->files, &scan->filter, &connection->untimed);
  scan->current = (TrScanFile){.list = &scan->files, .file.fd = -1};
  tr_unbroken_init(&scan->unbroken, poll);
}

void tr_scan_end(TrScan *scan) {
  release_files(scan);
  tr_lines_close(&scan->lines);
  tr_frame_reader_close(&scan->reader);
}

/* --- for the tables ----------------------------------------------------------------------------------------------- */

bool tr_scan_job_of_entry(const TrScan *scan, char job_id[TR_NAME_SIZE], size_t *length) {
  TrBytes job = scan->current.job;
  if (scan->filter.jobs_in_records && job.text) return false;
  if (job.text == NULL) return tr_file_list_job(&scan->files, scan->current.path, job_id, length);
  *length = job.length;
  memcpy(job_id, job.text, job.length);
  return true;
}

int64_t tr_scan_rowid(const TrScan *scan, const TrLine *line) {
  return (int64_t)scan->current.ordinal << TR_OFFSET_BITS | line->offset;
}

/* The file of a row that stands for all segments of a job is the live one, be it there or not. */
static uint32_t ordinal_of_row(const TrScan *scan) {
  uint32_t ordinal = scan->current.ordinal;
  const TrScanFile *current = &scan->current;
  if (current->list->history == NULL || scan->want != TR_WANT_FILES) return ordinal;
  char
      live[PATH_MAX + TR_NAME_SIZE]; /* no path that was opened is longer; without memory, the rowid would be another */
  char name[TR_NAME_SIZE];
  size_t before = tr_segment_directory(current->path);
  tr_segment_live_name(current->list->store, current->job, name);
  sqlite3_snprintf(sizeof live, live, "%.*s%s", (int)before, current->path, name);
  tr_names_find(current->list->names, live, strlen(live), &ordinal);
  return ordinal;
}

int64_t tr_scan_file_rowid(const TrScan *scan) {
  return (int64_t)ordinal_of_row(scan) << TR_OFFSET_BITS;
}

bool tr_scan_is_backwards(const TrScan *scan) {
  return scan->filter.order == TR_ORDER_ROWID_DESC || scan->filter.order == TR_ORDER_SEGMENTS_DESC;
}
