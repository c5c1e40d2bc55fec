/*
** frame_runs.c - which frames of an archived segment a scan reads line by line, and how it goes on behind a damaged
** one.
**
** A run is a number of frames, one behind the other, in which lines begin that may be wanted. Between two runs, all is
** skipped by the times in the segment's table. A run ends where a line begins, or the last line of it would be cut.
**
** What a table says of sizes has been proven, or the frame is a damaged one. What it says of times, and of where lines
** begin, is believed: it was written by whoever wrote the records.
*/
#include "scan.h"

static bool skips_frame(const TrScan *scan, size_t which) {
  return tr_filter_skips_frame(&scan->filter, &scan->reader.frames->table.frame[which]);
}

static bool starts_line(const TrFrames *frames, size_t which) {
  return frames->table.frame[which].flags & TR_FRAME_STARTS_LINE;
}

/* Does a line begin at that byte? If the one before it cannot be read, the table tells. */
static int find_if_line(TrScan *scan, int64_t from, bool *is_line) {
  unsigned char before;
  size_t got;
  TrSource *source = &scan->reader.source;
  int code = source->read(source, &before, 1, from - 1, &got);
  *is_line =
      code == SQLITE_OK ? before == '\n' : starts_line(scan->reader.frames, tr_frames_find(scan->reader.frames, from));
  return code == SQLITE_CORRUPT ? SQLITE_OK : code;
}

static int open_frame_lines(TrScan *scan, int64_t from, int64_t to, bool backwards) {
  int code = tr_lines_open(&scan->lines, scan->current.file.fd, from, to, scan->max_line, backwards, scan->poll);
  scan->lines.source = &scan->reader.source;
  scan->lines.floor = scan->run_floor;
  return code;
}

/* Moves over the rest of a line, or over a whole one, as far as it can be read. */
static int drop_line(TrScan *scan) {
  TrLines *lines = &scan->lines;
  int code = tr_lines_next(lines, &scan->own.line);
  if (code == SQLITE_CORRUPT && !lines->backwards) lines->mark = lines->searched = lines->length;
  return code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_CORRUPT ? SQLITE_OK : code;
}

static int open_lines_from(TrScan *scan, int64_t from, int64_t to, bool is_line) {
  int code = open_frame_lines(scan, from, to, false);
  return code == SQLITE_OK && !is_line ? drop_line(scan) : code;
}

static int open_nothing(TrScan *scan, bool backwards) {
  int64_t end = backwards ? 0 : scan->current.file.stat.st_size;
  scan->run_from = scan->run_to = end;
  scan->run_floor = 0;
  return open_frame_lines(scan, end, end, backwards);
}

/* --- forwards ----------------------------------------------------------------------------------------------------- */

/* The first run that holds lines from `from` on. */
static int open_run(TrScan *scan, int64_t from) {
  const TrFrames *frames = scan->reader.frames;
  size_t count = frames->table.count, which = tr_frames_find(frames, from), first = which;
  while (first < count && skips_frame(scan, first)) first++;
  if (first == count) return open_nothing(scan, false);
  size_t end = first + 1;
  while (end < count && !(skips_frame(scan, end) && starts_line(frames, end))) end++;
  if (first > which) from = frames->place[first].from;
  scan->run_from = from;
  scan->run_to = frames->place[end].from;
  bool is_line = starts_line(frames, first);
  int code = from == frames->place[first].from ? SQLITE_OK : find_if_line(scan, from, &is_line);
  return code == SQLITE_OK ? open_lines_from(scan, from, scan->run_to, is_line) : code;
}

/* --- backwards ---------------------------------------------------------------------------------------------------- */

/* The last run of lines that begin before `to`, where a frame begins. The last of them may go on in further frames. */
static int open_run_back(TrScan *scan, int64_t to) {
  const TrFrames *frames = scan->reader.frames;
  size_t top = to > 0 ? tr_frames_find(frames, to - 1) + 1 : 0;
  while (top > 0 && skips_frame(scan, top - 1)) top--;
  if (top == 0) return open_nothing(scan, true);
  size_t low = top - 1, end = top;
  while (low > 0 && !skips_frame(scan, low - 1)) low--;
  while (end < frames->table.count && !starts_line(frames, end)) end++;
  scan->run_from = frames->place[low].from;
  if (scan->run_from < scan->filter.from_offset) scan->run_from = scan->filter.from_offset;
  scan->run_to = frames->place[top].from;
  scan->run_floor = starts_line(frames, low) ? frames->place[low].from : 0;
  return open_frame_lines(scan, 0, frames->place[end].from, true);
}

/* Goes on before a damaged frame, whose first bytes may be the end of a line. */
static int open_before(TrScan *scan, size_t damaged) {
  int64_t end = scan->reader.frames->place[damaged].from;
  if (end <= scan->filter.from_offset) return open_nothing(scan, true);
  if (end <= scan->run_from) return open_run_back(scan, scan->run_from);
  if (end < scan->run_to) scan->run_to = end;
  bool is_line;
  int code = find_if_line(scan, end, &is_line);
  if (code == SQLITE_OK) code = open_frame_lines(scan, 0, end, true);
  return code == SQLITE_OK && !is_line ? drop_line(scan) : code;
}

/* --- for scan.c --------------------------------------------------------------------------------------------------- */

int tr_frame_run_begin(TrScan *scan, bool backwards) {
  const TrFile *file = &scan->current.file;
  scan->run_floor = 0;
  scan->stopped_behind = 0;
  int code = tr_frame_reader_open(&scan->reader, file);
  if (code != SQLITE_OK) return code;
  return backwards ? open_run_back(scan, file->stat.st_size) : open_run(scan, scan->filter.from_offset);
}

int tr_frame_run_pass(TrScan *scan) {
  int64_t offset = scan->own.line.offset;
  if (offset >= scan->run_to) return SQLITE_OK; /* it began in a frame that is read for the end of another line */
  return offset < scan->filter.from_offset ? SQLITE_DONE : open_run_back(scan, scan->run_from);
}

int tr_frame_run_next(TrScan *scan) {
  size_t damaged = scan->stopped_behind;
  scan->stopped_behind = 0;
  if (!scan->lines.backwards)
    return scan->run_to < scan->current.file.stat.st_size ? open_run(scan, scan->run_to) : SQLITE_DONE;
  if (damaged > 0) return open_before(scan, damaged - 1);
  return scan->run_floor <= scan->filter.from_offset ? SQLITE_DONE : open_run_back(scan, scan->run_floor);
}

int tr_frame_run_open_left(TrScan *scan, int64_t from, bool is_line) {
  int code = scan->reader.frames ? SQLITE_OK : tr_frame_reader_open(&scan->reader, &scan->current.file);
  if (code == SQLITE_OK && !is_line && from > 0) code = find_if_line(scan, from, &is_line);
  return code == SQLITE_OK ? open_lines_from(scan, from, scan->current.file.stat.st_size, is_line) : code;
}

bool tr_frame_run_is_reject(TrScan *scan) {
  TrFrameReader *reader = &scan->reader;
  const TrLines *lines = &scan->lines;
  bool is_cut = lines->mark < lines->length;
  int64_t offset = is_cut ? tr_lines_following(lines) : reader->frames->place[reader->damaged - 1].from;
  scan->own = (TrParsed){.line = {.offset = offset, .terminated = true}, .reason = TR_DAMAGED};
  if (lines->backwards || reader->damaged <= reader->reported) return false;
  reader->reported = reader->damaged;
  reader->reported_why = reader->why;
  return true;
}

int tr_frame_run_go_on(TrScan *scan) {
  size_t damaged = scan->reader.damaged - 1;
  TrLines *lines = &scan->lines;
  int64_t behind = scan->reader.frames->place[damaged + 1].from;
  if (!lines->backwards) return open_run(scan, behind);
  bool has_line = lines->mark > 0 && lines->base == behind && starts_line(scan->reader.frames, damaged + 1);
  if (!has_line) return open_before(scan, damaged);
  lines->floor = behind; /* what is left is a whole line, the last one before we get here again */
  scan->stopped_behind = damaged + 1;
  return SQLITE_OK;
}
