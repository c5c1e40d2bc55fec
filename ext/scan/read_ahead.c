/*
** read_ahead.c - the files of a scan, read as blocks before the scan needs them.
**
** Whenever the ring (workers.c) runs low, the next blocks are posted: of the current file, then of the next file of the
** list, which is opened for that. An unusual entry (not a file, or one that cannot be opened) stops the read-ahead:
** when all posted blocks are done, scan.c handles the entry, as if there were no blocks.
**
** A file's descriptor belongs to the first of its blocks, until the scan reaches that block.
*/
#include "scan.h"

#include <string.h>

/* Has the entry a name and contents as a job's file has them? */
static bool is_usual(const TrFileList *list, const char *path) {
  TrSegmentName parsed = {0};
  const char *name = tr_hosts_file_name(path);
  size_t length = strlen(name);
  bool has_name = list->history ? tr_segment_name_parse_in(list->store, path, &parsed)
                                : tr_store_has_name(list->store, name, length);
  bool may_have_frames = parsed.kind == TR_SEGMENT_ARCHIVED && parsed.codec == TR_CODEC_ZSTD;
  return has_name && (parsed.codec == TR_CODEC_PLAIN || may_have_frames) && tr_utf8_is_valid(name, length);
}

/* The next entry, if it can be read ahead. SQLITE_DONE: not now, or there is none. */
static int look_ahead(TrReadAhead *read_ahead, uint32_t *ordinal) {
  TrFileList *list = read_ahead->list;
  const char *path;
  int code = read_ahead->waits ? SQLITE_DONE : tr_file_list_fill(list, NULL);
  if (code != SQLITE_OK) return code;
  if (!tr_file_list_next(list, ordinal, &path)) return SQLITE_DONE;
  read_ahead->waits = !is_usual(list, path);
  return read_ahead->waits ? SQLITE_DONE : SQLITE_OK;
}

/* Only these end the scan at once. For another error, the scan tries again when all blocks are done: then there is a
** message, and the rows before it have been returned. */
static int wait_unless_fatal(TrReadAhead *read_ahead, int code) {
  if (code == SQLITE_DONE) return SQLITE_OK;
  if (code == SQLITE_INTERRUPT || code == SQLITE_NOMEM) return code;
  read_ahead->waits = true;
  return SQLITE_OK;
}

static const char *name_of(const TrFileList *list, uint32_t ordinal) {
  return tr_hosts_file_name(tr_names_get(list->names, ordinal));
}

/* Opens the next file whose blocks will be posted. *opened false: none for now. */
static int open_ahead(TrReadAhead *read_ahead, bool *opened) {
  TrFileList *list = read_ahead->list;
  uint32_t ordinal;
  int code;
  *opened = false;
  while ((code = look_ahead(read_ahead, &ordinal)) == SQLITE_OK) {
    TrFile file = {.fd = -1};
    TrEntry entry = TR_ENTRY_UNREADABLE;
    code = tr_file_list_open_file(list, &file, &entry, NULL);
    if (code != SQLITE_OK) break;
    *opened = entry == TR_ENTRY_READABLE && file.stat.st_size <= TR_MAX_FILE_BYTES &&
              (file.codec == TR_CODEC_PLAIN || file.frames);
    read_ahead->waits = !*opened && entry != TR_ENTRY_VANISHED;
    if (read_ahead->waits) {
      tr_file_close(&file);
      return SQLITE_OK;
    }
    if (*opened && read_ahead->index) code = tr_scan_index_load(read_ahead->index, name_of(list, ordinal), &file);
    if (code != SQLITE_OK) {
      tr_file_close(&file);
      return code;
    }
    tr_file_list_advance(list);
    if (!*opened) continue;
    read_ahead->ordinal = ordinal;
    read_ahead->file = file;
    read_ahead->from = read_ahead->starts_at < file.stat.st_size ? read_ahead->starts_at : file.stat.st_size;
    if (file.index) read_ahead->from = file.index->end;
    return SQLITE_OK;
  }
  return wait_unless_fatal(read_ahead, code);
}

/* The block is the next frame that can hold what is wanted, from read_ahead->from on; or it is empty, at the end. */
static void choose_frame(const TrReadAhead *read_ahead, TrBlock *block) {
  const TrFrames *frames = read_ahead->file.frames;
  size_t which = tr_frames_find(frames, read_ahead->from), count = frames->table.count;
  block->from = read_ahead->from;
  while (which < count && tr_filter_skips_frame(read_ahead->filter, &frames->table.frame[which]))
    block->from = frames->place[++which].from;
  block->to = frames->place[which < count ? which + 1 : count].from;
}

/* Fills in the next block of the current file, and posts it. */
static void post_block(TrReadAhead *read_ahead, TrBlock *block, bool owns_file) {
  int64_t size = read_ahead->file.stat.st_size, from = read_ahead->from;
  block->ordinal = read_ahead->ordinal;
  block->file = read_ahead->file;
  block->owns_file = owns_file;
  block->from = from;
  block->to = from - from % TR_BLOCK_BYTES + TR_BLOCK_BYTES;
  if (block->to > size) block->to = size;
  if (block->file.frames) choose_frame(read_ahead, block);
  read_ahead->from = block->to;
  tr_workers_post(read_ahead->workers);
}

static int post_blocks(TrReadAhead *read_ahead) {
  TrBlock *block;
  while ((block = tr_workers_room(read_ahead->workers)) != NULL) {
    bool opened = false;
    if (read_ahead->from == read_ahead->file.stat.st_size) {
      int code = open_ahead(read_ahead, &opened);
      if (code != SQLITE_OK || !opened) return code;
    }
    bool has_room = !read_ahead->file.frames || tr_workers_room_for_frames(read_ahead->workers);
    if (!has_room && opened) tr_file_close(&read_ahead->file);
    if (!has_room) return SQLITE_NOMEM;
    post_block(read_ahead, block, opened);
  }
  return SQLITE_OK;
}

/* A frame's entry says if a line begins with it. If the frame before it shows that this is wrong, the block is read
** again, line by line. */
static void check_frame(TrReadAhead *read_ahead) {
  TrBlock *block = read_ahead->block;
  const TrFrames *frames = block->file.frames;
  size_t which = tr_frames_find(frames, block->from);
  bool is_known = !block->owns_file && read_ahead->known_to == block->from && block->from < block->to;
  bool starts_line = is_known && frames->table.frame[which].flags & TR_FRAME_STARTS_LINE;
  if (is_known && starts_line != read_ahead->follows_line) {
    block->count = 0;
    block->untimed = 0;
    block->stopped_at = block->from;
    block->unread = true;
  }
  read_ahead->known_to = block->unread ? -1 : block->to;
  read_ahead->follows_line = block->ends_line;
}

/* Moves to the next posted block, if there is one. */
static int take_block(TrReadAhead *read_ahead) {
  read_ahead->given = 0;
  read_ahead->is_new_block = true;
  read_ahead->by_line = false;
  int code = tr_workers_take(read_ahead->workers, read_ahead->list->poll, &read_ahead->block);
  if (read_ahead->block && read_ahead->block->file.frames) check_frame(read_ahead);
  if (read_ahead->block) *read_ahead->untimed += read_ahead->block->untimed;
  return code;
}

static void leave_block(TrReadAhead *read_ahead) {
  if (read_ahead->block) tr_workers_release(read_ahead->workers);
  read_ahead->block = NULL;
}

/* --- for the scan ------------------------------------------------------------------------------------------------- */

void tr_read_ahead_init(TrReadAhead *read_ahead, TrFileList *list, const TrFilter *filter, uint64_t *untimed) {
  *read_ahead = (TrReadAhead){.list = list, .filter = filter, .untimed = untimed, .known_to = -1};
}

void tr_read_ahead_stop(TrReadAhead *read_ahead) {
  tr_workers_stop(read_ahead->workers);
  tr_read_ahead_init(read_ahead, read_ahead->list, read_ahead->filter, read_ahead->untimed);
}

void tr_read_ahead_look_at(TrReadAhead *read_ahead, int64_t from, int64_t to, bool in_blocks) {
  bool may_begin = in_blocks && read_ahead->threads > 1;
  read_ahead->begins_at = may_begin ? from + TR_SHARE_BYTES - read_ahead->passed : INT64_MAX;
  if (read_ahead->passed < TR_SHARE_BYTES) read_ahead->passed += to - from;
}

int tr_read_ahead_next_block(TrReadAhead *read_ahead) {
  leave_block(read_ahead);
  int code = tr_workers_are_low(read_ahead->workers) ? post_blocks(read_ahead) : SQLITE_OK;
  return code == SQLITE_OK ? take_block(read_ahead) : code;
}

int tr_read_ahead_next_file(TrReadAhead *read_ahead, TrScanFile *current) {
  if (read_ahead->workers == NULL) return SQLITE_OK;
  int code = tr_read_ahead_next_block(read_ahead);
  TrBlock *block = read_ahead->block;
  if (code != SQLITE_OK || block == NULL) {
    read_ahead->waits = false;
    return code;
  }
  tr_scan_file_set(current, block->ordinal, tr_names_get(read_ahead->list->names, block->ordinal));
  current->file = block->file;
  block->owns_file = false;
  return SQLITE_OK;
}

int tr_read_ahead_begin(TrReadAhead *read_ahead, const TrScanFile *current, int64_t from, const TrWanted *wanted) {
  int64_t size = current->file.stat.st_size;
  uint32_t ordinal;
  const char *name;
  bool is_last = !tr_file_list_next(read_ahead->list, &ordinal, &name);
  read_ahead->begins_at = INT64_MAX;
  if (from >= size || (size - from < TR_SHARE_BYTES / 4 && is_last)) return SQLITE_OK;
  if (read_ahead->workers == NULL) read_ahead->workers = tr_workers_start(wanted, read_ahead->threads);
  if (read_ahead->workers == NULL) {
    read_ahead->threads = 1;
    return SQLITE_OK;
  }
  read_ahead->ordinal = current->ordinal;
  read_ahead->file = current->file;
  read_ahead->from = from;
  read_ahead->known_to = -1;
  int code = post_blocks(read_ahead);
  return code == SQLITE_OK ? take_block(read_ahead) : code;
}

int tr_read_ahead_leave_file(TrReadAhead *read_ahead, TrScanFile *current) {
  int code = SQLITE_OK;
  if (read_ahead->ordinal == current->ordinal) read_ahead->from = read_ahead->file.stat.st_size; /* no more blocks */
  while (read_ahead->block && code == SQLITE_OK) {
    bool last = read_ahead->block->to == current->file.stat.st_size;
    leave_block(read_ahead);
    if (!last) code = take_block(read_ahead);
  }
  if (code == SQLITE_OK) tr_file_close(&current->file);
  return code;
}
