/*
** segments.c - a job -> its segments, all open, in the order of their records.
**
** While we look, a rotation may rename .1 to .2 and the live file to .1, and a prune may move records to the archive.
** So we list the names, open the files, and list again, until both lists are the same, and each name is still that of
** the file that we opened. Then at one moment all of these were the job's files; and since they are open, what happens
** later to their names does not matter. An inode that we have open is not given to another file meanwhile, so it proves
** which state of a prune that was. Only of a job with very many segments, the oldest ones are opened again when
** their turn comes; if one is another file by then, that is an error.
**
** The order is that of the first readable time in each. Names tell less: a `.1` copied back from a backup, a date that
** a clock set wrong, an archive that begins before or after a rotation.
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TR_MOST_OPEN_SEGMENTS
#define TR_MOST_OPEN_SEGMENTS 128
#endif
#define MOST_HISTORY_LOOKS 100

/* --- the names ---------------------------------------------------------------------------------------------------- */

typedef struct PathList {
  const char *before; /* borrowed: what stands before each name */
  TrNameList *paths;
} PathList;

static int add_path(void *context, const char *name) {
  PathList *list = context;
  char *path = sqlite3_mprintf("%s%s", list->before, name);
  int code = path ? tr_name_list_add(list->paths, path, strlen(path)) : SQLITE_NOMEM;
  sqlite3_free(path);
  return code;
}

static int add_archived(void *context, const char *name) {
  return name[0] == '.' ? SQLITE_OK : add_path(context, name);
}

static int list_archived(TrHistory *history, TrNameList *paths, char **message) {
  TrDir archive = history->dir;
  int code = tr_archive_open(&history->dir, history->job, &archive.fd, message);
  if (code != SQLITE_OK || archive.fd < 0) return code;
  char file[TR_NAME_SIZE];
  tr_segment_live_name(history->base->store, history->job, file);
  char *before = sqlite3_mprintf("%s" TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY "/%s/", history->current->path, file);
  PathList list = {.before = before, .paths = paths};
  code = before ? tr_dir_list(&archive, history->poll, add_archived, &list, message) : SQLITE_NOMEM;
  sqlite3_free(before);
  tr_dir_close(&history->archive);
  history->archive = archive;
  return code;
}

static int list_paths(TrHistory *history, TrNameList *paths, char **message) {
  bool changed;
  PathList list = {.before = history->current->path, .paths = paths};
  int code = tr_listing_refresh(history->current, history->base, history->poll, &changed, message);
  if (code == SQLITE_OK) code = tr_listing_visit(history->current, history->job, add_path, &list);
  if (code == SQLITE_OK) code = list_archived(history, paths, message);
  tr_name_list_sort(paths);
  return code;
}

static bool is_same_list(const TrNameList *a, const TrNameList *b) {
  for (size_t i = 0; a->count == b->count && i < a->count; i++) {
    if (strcmp(a->name[i], b->name[i]) != 0) return false;
  }
  return a->count == b->count;
}

/* --- names -> segments -------------------------------------------------------------------------------------------- */

static void drop_segment(TrSegment *segment) {
  tr_file_close(&segment->file);
  sqlite3_free(segment->path);
}

static void drop_segments(TrHistory *history) {
  for (size_t i = 0; i < history->count; i++) drop_segment(&history->segment[i]);
  history->count = history->at = 0;
  tr_dir_close(&history->archive);
}

static void leave_out(TrHistory *history, size_t which) {
  drop_segment(&history->segment[which]);
  history->count--;
  memmove(history->segment + which, history->segment + which + 1, (history->count - which) * sizeof *history->segment);
}

static int add_segments(TrHistory *history, const TrNameList *paths) {
  const TrStore *store = history->base->store;
  for (size_t i = 0; i < paths->count; i++) {
    TrSegment segment = {.file.fd = -1};
    if (!tr_segment_name_parse_in(store, paths->name[i], &segment.name)) continue;
    TrSegment *grown = tr_array_reserve(history->segment, &history->room, history->count + 1, sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    history->segment = grown;
    segment.path = sqlite3_mprintf("%s", paths->name[i]);
    if (segment.path == NULL || !tr_segment_name_parse_in(store, segment.path, &segment.name)) return SQLITE_NOMEM;
    history->segment[history->count++] = segment;
  }
  return SQLITE_OK;
}

static int compare_bases(const TrSegment *a, const TrSegment *b) {
  size_t x = a->name.base_length, y = b->name.base_length;
  int order = memcmp(a->path, b->path, x < y ? x : y);
  return order ? order : (x > y) - (x < y);
}

/* Of two states of a segment, the one that counts comes first: a pending one replaces the other; beside a plain one,
** the compressor may still be writing. */
static int compare_names(const void *a, const void *b) {
  const TrSegment *x = a, *y = b;
  int order = tr_segment_name_compare(&x->name, &y->name);
  if (order == 0) order = compare_bases(x, y);
  if (order == 0) order = y->name.is_pending - x->name.is_pending;
  return order ? order : x->name.codec - y->name.codec;
}

static void leave_out_second_states(TrHistory *history) {
  for (size_t i = 1; i < history->count;) {
    if (compare_bases(&history->segment[i - 1], &history->segment[i]) == 0)
      leave_out(history, i);
    else
      i++;
  }
}

/* Does a prune's own file of the job have this inode? */
static bool is_own_file(const TrHistory *history, const char *suffix, uint64_t inode) {
  char name[TR_LEFTOVER_NAME_SIZE];
  struct stat found;
  tr_leftover_name(history->job.text, history->job.length, suffix, name);
  return fstatat(history->dir.fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)found.st_ino == inode;
}

/* A pending segment holds the beginning of its source, the job's file before a prune. It counts from the moment in
** which another file has the job's name, and only while the source has one of the prune's names: the temporary's, with
** which it was exchanged, or that of a prune offline. (ext/PRUNING.md has a table of it.) What a prune leaves that was
** killed before that moment never counts, whatever becomes of the job's file. */
static bool is_pending_in_force(const TrHistory *history, const TrSegmentName *name, const TrSegment *live) {
  if (live && live->file.fd >= 0 && name->source == (uint64_t)live->file.stat.st_ino) return false;
  return is_own_file(history, ".new", name->source) || is_own_file(history, ".old", name->source);
}

/* The live file is the last segment, if there is one, and is open. */
static void leave_out_pending(TrHistory *history) {
  for (size_t i = 0; i < history->count;) {
    const TrSegment *last = &history->segment[history->count - 1];
    const TrSegmentName *name = &history->segment[i].name;
    const TrSegment *live = last->name.kind == TR_SEGMENT_LIVE ? last : NULL;
    if (name->is_pending && !is_pending_in_force(history, name, live))
      leave_out(history, i);
    else
      i++;
  }
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static TrDir *dir_of(TrHistory *history, const TrSegment *segment) {
  return segment->name.kind == TR_SEGMENT_ARCHIVED ? &history->archive : &history->dir;
}

static int open_segment(TrHistory *history, TrSegment *segment) {
  TrFile *file = &segment->file;
  int code = tr_dir_open_file(dir_of(history, segment), last_part(segment->path), history->poll, file, &segment->entry);
  file->codec = segment->name.codec;
  return code == SQLITE_OK && segment->entry == TR_ENTRY_READABLE ? tr_frames_open(file) : code;
}

int tr_history_open_lines(TrHistory *history, TrLines *lines, const TrFile *file, uint8_t codec) {
  TrDecompressor *decompressor = &history->decompressor;
  int code = tr_decompressor_open(decompressor, file->fd, codec, history->poll);
  if (code == SQLITE_OK) code = tr_lines_open(lines, file->fd, 0, INT64_MAX, history->max_line, false, history->poll);
  lines->source = &decompressor->source;
  return code;
}

int tr_history_open_lines_back(TrHistory *history, TrLines *lines, const TrFile *file) {
  int64_t size;
  int code = tr_rewinder_open(&history->rewinder, &history->decompressor, file, history->poll, &size);
  if (code == SQLITE_OK) code = tr_lines_open(lines, file->fd, 0, size, history->max_line, true, history->poll);
  lines->source = &history->rewinder.source;
  return code;
}

static int open_any_lines(TrHistory *history, const TrFile *file) {
  TrLines *lines = &history->lines;
  if (file->codec != TR_CODEC_PLAIN && !file->frames) return tr_history_open_lines(history, lines, file, file->codec);
  int code = tr_lines_open(lines, file->fd, 0, file->stat.st_size, history->max_line, false, history->poll);
  if (code == SQLITE_OK && file->frames) code = tr_frame_reader_open(&history->reader, file);
  if (file->frames) lines->source = &history->reader.source;
  return code;
}

/* If what comes before the first time is damaged, the table of frames tells it nearly: the least of a frame. */
static void find_time_in_table(TrSegment *segment) {
  const TrSeekTable *table = &segment->file.frames->table;
  for (size_t i = 0; i < table->count && !segment->is_timed; i++) {
    segment->is_timed = table->frame[i].flags & TR_FRAME_IS_TIMED;
    segment->first_us = table->frame[i].first_us;
  }
}

int tr_history_first_time(TrLines *lines, const TrMapping *mapping, int64_t *time_us) {
  TrParser parser;
  TrMappedParser mapped;
  TrParsed parsed;
  int code;
  tr_parser_init(&parser);
  tr_parser_map(&parser, &mapped, mapping);
  while ((code = tr_parse_next(&parser, lines, &parsed)) == SQLITE_ROW) {
    if (parsed.reason == TR_OK && tr_span_time_us(&parsed.line, &parsed.record.field[TR_TIMESTAMP], time_us)) break;
  }
  return code;
}

/* An error, too, if it cannot be read: another order would be a wrong answer. What is damaged is no error here: whoever
** reads it, reports it. */
static int find_first_time(TrHistory *history, TrSegment *segment, char **message) {
  if (segment->file.fd < 0 || tr_codec_obstacle(segment->name.codec)) return SQLITE_OK;
  int code = open_any_lines(history, &segment->file);
  if (code == SQLITE_OK) code = tr_history_first_time(&history->lines, history->mapping, &segment->first_us);
  int error_number = errno;
  tr_decompressor_close(&history->decompressor);
  segment->is_timed = code == SQLITE_ROW;
  if (code == SQLITE_CORRUPT && segment->file.frames) find_time_in_table(segment);
  if (code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_CORRUPT) return SQLITE_OK;
  if ((code & 0xff) != SQLITE_IOERR) return code;
  return tr_error(message, code, "job '%.*s': %s/%s cannot be read: %s", (int)history->job.length, history->job.text,
                  history->base->path, segment->path, strerror(error_number));
}

/* The live file first: then it is known which pending ones count. */
static int open_segments(TrHistory *history, char **message) {
  int code = SQLITE_OK;
  size_t opened = 0;
  TrSegment *live = history->count ? &history->segment[history->count - 1] : NULL;
  if (live && live->name.kind == TR_SEGMENT_LIVE) code = open_segment(history, live);
  leave_out_pending(history);
  leave_out_second_states(history);
  for (size_t i = history->count; i-- > 0 && code == SQLITE_OK;) {
    TrSegment *segment = &history->segment[i];
    if (segment->name.kind != TR_SEGMENT_LIVE) code = open_segment(history, segment);
    if (code == SQLITE_OK && history->count > 1) code = find_first_time(history, segment, message);
    if (segment->file.fd < 0 || ++opened <= TR_MOST_OPEN_SEGMENTS) continue;
    tr_file_close(&segment->file);
    segment->is_reopened = true;
  }
  return code;
}

/* *is_same: the name is still that of the file that we opened. */
static int compare_with_name(TrHistory *history, const TrSegment *segment, bool *is_same, char **message) {
  struct stat now;
  *is_same = segment->entry != TR_ENTRY_VANISHED;
  if (segment->entry != TR_ENTRY_READABLE) return SQLITE_OK;
  if (fstatat(dir_of(history, segment)->fd, last_part(segment->path), &now, AT_SYMLINK_NOFOLLOW) == 0) {
    *is_same = now.st_ino == segment->file.stat.st_ino && now.st_dev == segment->file.stat.st_dev;
    return SQLITE_OK;
  }
  *is_same = false;
  if (errno == ENOENT) return SQLITE_OK;
  int reason = errno;
  return tr_error(message, tr_error_code(reason), "job '%.*s': %s/%s cannot be examined: %s", (int)history->job.length,
                  history->job.text, history->base->path, segment->path, strerror(reason));
}

static int compare_with_names(TrHistory *history, bool *are_same, char **message) {
  int code = SQLITE_OK;
  *are_same = true;
  for (size_t i = 0; i < history->count && *are_same && code == SQLITE_OK; i++) {
    code = compare_with_name(history, &history->segment[i], are_same, message);
  }
  return code;
}

static int look(TrHistory *history, bool *agrees, char **message) {
  TrNameList before = {0}, after = {0};
  drop_segments(history);
  int code = list_paths(history, &before, message);
  if (code == SQLITE_OK) code = add_segments(history, &before);
  if (code == SQLITE_OK && history->count > 1)
    qsort(history->segment, history->count, sizeof *history->segment, compare_names);
  if (code == SQLITE_OK) code = open_segments(history, message);
  if (code == SQLITE_OK) code = list_paths(history, &after, message);
  *agrees = code == SQLITE_OK && is_same_list(&before, &after);
  if (*agrees) code = compare_with_names(history, agrees, message);
  tr_name_list_free(&before);
  tr_name_list_free(&after);
  return code;
}

/* --- for the scans ------------------------------------------------------------------------------------------------ */

static int compare_times(const void *a, const void *b) {
  const TrSegment *x = a, *y = b;
  if (x->is_timed != y->is_timed) return x->is_timed ? 1 : -1;
  if (x->is_timed && x->first_us != y->first_us) return x->first_us < y->first_us ? -1 : 1;
  return compare_names(a, b);
}

/* A segment without a readable time comes after the one that its name puts before it. */
static void give_times(TrHistory *history) {
  for (size_t i = 1; i < history->count; i++) {
    const TrSegment *before = &history->segment[i - 1];
    TrSegment *segment = &history->segment[i];
    if (segment->is_timed || !before->is_timed) continue;
    segment->is_timed = true;
    segment->first_us = before->first_us;
  }
}

/* They are in ascending order. */
static void number_segments(TrHistory *history) {
  TrSegment *segment = history->segment;
  size_t count = history->count;
  for (size_t i = 0; i < count; i++) segment[i].file.segment = (uint32_t)i + 1;
  for (size_t i = 0; history->is_descending && i < count / 2; i++) {
    TrSegment swapped = segment[i];
    segment[i] = segment[count - 1 - i];
    segment[count - 1 - i] = swapped;
  }
  for (size_t i = 0; i < count; i++) segment[i].file.has_more = i + 1 < count;
}

/* Makes the listing of the path's directory the current one. */
static int find_listing(TrHistory *history, const char *live_path) {
  size_t length = (size_t)(last_part(live_path) - live_path);
  for (size_t i = 0; i < history->listing_count; i++) {
    history->current = &history->listing[i];
    if (strlen(history->current->path) == length && memcmp(history->current->path, live_path, length) == 0)
      return SQLITE_OK;
  }
  TrListing *grown =
      tr_array_reserve(history->listing, &history->listing_room, history->listing_count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  history->listing = grown;
  history->current = &grown[history->listing_count];
  *history->current = (TrListing){.path = sqlite3_mprintf("%.*s", (int)length, live_path)};
  if (history->current->path == NULL) return SQLITE_NOMEM;
  history->listing_count++;
  return SQLITE_OK;
}

static int open_dir(TrHistory *history, char **message) {
  const TrDir *base = history->base;
  const char *path = history->current->path[0] ? history->current->path : ".";
  tr_dir_close(&history->dir);
  history->dir = *base;
  history->dir.fd = (int)TEMP_FAILURE_RETRY(openat(base->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (history->dir.fd >= 0) return SQLITE_OK;
  return tr_error(message, SQLITE_CANTOPEN, "%s directory %s/%s: %s", base->store->word, base->path, path,
                  strerror(errno));
}

void tr_history_init(TrHistory *history, TrDir *base, TrPoll *poll, size_t max_line) {
  *history = (TrHistory){.base = base, .poll = poll, .max_line = max_line, .dir.fd = -1, .archive.fd = -1};
}

int tr_history_open(TrHistory *history, const char *live_path, char **message) {
  bool agrees = false;
  const char *file = last_part(live_path);
  int code = find_listing(history, live_path);
  if (code == SQLITE_OK) code = open_dir(history, message);
  history->job = tr_segment_job(history->base->store, file, strlen(file));
  for (unsigned looks = 0; looks < MOST_HISTORY_LOOKS && code == SQLITE_OK && !agrees; looks++)
    code = look(history, &agrees, message);
  if (code == SQLITE_OK && !agrees) {
    code = tr_error(message, SQLITE_BUSY, "job '%.*s': the files of its history are renamed again and again",
                    (int)history->job.length, history->job.text);
  }
  give_times(history);
  if (history->count > 1) qsort(history->segment, history->count, sizeof *history->segment, compare_times);
  number_segments(history);
  if (code != SQLITE_OK) drop_segments(history);
  tr_frame_reader_close(&history->reader);
  return code;
}

int tr_history_take(TrHistory *history, TrFile *file, TrEntry *entry, char **message) {
  TrSegment *segment = &history->segment[history->at];
  TrFile known = segment->file;
  bool is_reopened = segment->is_reopened && segment->entry == TR_ENTRY_READABLE;
  int code = is_reopened ? open_segment(history, segment) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  *file = segment->file;
  file->segment = known.segment;
  file->has_more = known.has_more;
  *entry = segment->entry;
  segment->file.fd = -1;
  segment->file.frames = NULL;
  segment->is_reopened = true; /* should it be taken again */
  bool is_same =
      *entry == TR_ENTRY_READABLE && file->stat.st_ino == known.stat.st_ino && file->stat.st_dev == known.stat.st_dev;
  if (!is_reopened || is_same || *entry == TR_ENTRY_UNREADABLE) return SQLITE_OK; /* the caller says why */
  tr_file_close(file);
  segment->file.stat = known.stat; /* if it is taken again, it is still not the same */
  return tr_error(message, SQLITE_BUSY, "job '%.*s': %s/%s was replaced while the history was read; read it again",
                  (int)history->job.length, history->job.text, history->base->path, segment->path);
}

void tr_history_end(TrHistory *history) {
  if (history->base == NULL) return;
  drop_segments(history);
  tr_dir_close(&history->dir);
  for (size_t i = 0; i < history->listing_count; i++) tr_listing_free(&history->listing[i]);
  sqlite3_free(history->listing);
  sqlite3_free(history->segment);
  tr_lines_close(&history->lines);
  tr_decompressor_end(&history->decompressor);
  tr_rewinder_close(&history->rewinder);
  *history = (TrHistory){0};
}
