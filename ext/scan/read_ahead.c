/*
** read_ahead.c - the files of a scan, as blocks, ahead of their turn.
**
** Whenever the ring (workers.c) is low, the next blocks are posted: of the file at hand, then of the next one of the queue,
** which is opened for that. Whatever is not plain, an entry that is no file or cannot be opened, stops it: it has to wait
** until all that was posted is done with, and then has its turn in scan.c, as if there were no blocks.
**
** A file's descriptor belongs to the first of its blocks, until the scan turns to that.
*/
#include "scan.h"

#include <string.h>

/* Opens the next file whose blocks are to be posted. Not *opened: there is none for now. */
static int open_ahead(TrScan *scan, bool *opened) {
  *opened = false;
  while (scan->queue_at < scan->queue_count && !scan->ahead.waits) {
    uint32_t ordinal = scan->queue[scan->queue_at];
    const char *name = tr_names_get(scan->connection->names, ordinal);
    TrFile file = {.fd = -1};
    TrEntry entry = TR_ENTRY_UNREADABLE;
    size_t length = strlen(name);
    int code = SQLITE_OK;
    if (tr_store_has_name(scan->store, name, length) && tr_utf8_is_valid(name, length))
      code = tr_dir_open_file(&scan->dir, name, scan->poll, &file, &entry);
    if (code != SQLITE_OK) return code;
    *opened = entry == TR_ENTRY_READABLE && file.stat.st_size <= TR_MAX_FILE_BYTES;
    scan->ahead.waits = !*opened && entry != TR_ENTRY_VANISHED;
    if (scan->ahead.waits) {
      tr_file_close(&file);
      return SQLITE_OK;
    }
    scan->queue_at++;
    if (!*opened) continue;
    scan->ahead.ordinal = ordinal;
    scan->ahead.file = file;
    scan->ahead.from = 0;
    return SQLITE_OK;
  }
  return SQLITE_OK;
}

/* Describes the next block of the file at hand. */
static void post_block(TrScan *scan, TrBlock *block, bool owns_file) {
  int64_t size = scan->ahead.file.stat.st_size, from = scan->ahead.from;
  block->ordinal = scan->ahead.ordinal;
  block->file = scan->ahead.file;
  block->owns_file = owns_file;
  block->from = from;
  block->to = from - from % TR_BLOCK_BYTES + TR_BLOCK_BYTES;
  if (block->to > size) block->to = size;
  scan->ahead.from = block->to;
  tr_ahead_post(scan->ahead.blocks);
}

static int post_blocks(TrScan *scan) {
  TrBlock *block;
  while ((block = tr_ahead_room(scan->ahead.blocks)) != NULL) {
    bool opened = false;
    if (scan->ahead.from == scan->ahead.file.stat.st_size) {
      int code = open_ahead(scan, &opened);
      if (code != SQLITE_OK || !opened) return code;
    }
    post_block(scan, block, opened);
  }
  return SQLITE_OK;
}

/* Turns to the next of the blocks that were posted, if there is one. */
static int take_block(TrScan *scan) {
  scan->ahead.given = 0;
  scan->ahead.by_line = false;
  int code = tr_ahead_take(scan->ahead.blocks, scan->poll, &scan->ahead.block);
  if (scan->ahead.block) scan->connection->untimed += scan->ahead.block->untimed;
  return code;
}

static void leave_block(TrScan *scan) {
  if (scan->ahead.block) tr_ahead_release(scan->ahead.blocks);
  scan->ahead.block = NULL;
}

int tr_lookahead_next_block(TrScan *scan) {
  leave_block(scan);
  int code = tr_ahead_is_low(scan->ahead.blocks) ? post_blocks(scan) : SQLITE_OK;
  return code == SQLITE_OK ? take_block(scan) : code;
}

/* Turns to the first block of the next file that was opened ahead. */
int tr_lookahead_next_file(TrScan *scan) {
  if (scan->ahead.blocks == NULL) return SQLITE_OK;
  int code = tr_lookahead_next_block(scan);
  TrBlock *block = scan->ahead.block;
  if (code != SQLITE_OK || block == NULL) {
    scan->ahead.waits = false;
    return code;
  }
  scan->ordinal = block->ordinal;
  scan->name = tr_names_get(scan->connection->names, scan->ordinal);
  scan->file = block->file;
  block->owns_file = false;
  return SQLITE_OK;
}

/* From here on, blocks, if threads can be had and there is enough left for them to do. */
int tr_lookahead_begin(TrScan *scan) {
  int64_t from = tr_lines_following(&scan->lines), size = scan->file.stat.st_size;
  scan->ahead.begins_at = INT64_MAX;
  if (from >= size || (size - from < TR_SHARE_BYTES / 4 && scan->queue_at == scan->queue_count)) return SQLITE_OK;
  if (scan->ahead.blocks == NULL) {
    TrWanted wanted = {.want = scan->want, .filter = &scan->filter, .max_line = scan->max_line};
    scan->ahead.blocks = tr_ahead_start(&wanted, scan->ahead.threads);
  }
  if (scan->ahead.blocks == NULL) {
    scan->ahead.threads = 1;
    return SQLITE_OK;
  }
  scan->ahead.ordinal = scan->ordinal;
  scan->ahead.file = scan->file;
  scan->ahead.from = from;
  int code = post_blocks(scan);
  return code == SQLITE_OK ? take_block(scan) : code;
}

/* The rest of the current file is not wanted. */
int tr_lookahead_leave_file(TrScan *scan) {
  int code = SQLITE_OK;
  if (scan->ahead.ordinal == scan->ordinal) scan->ahead.from = scan->ahead.file.stat.st_size; /* nor are more blocks */
  while (scan->ahead.block && code == SQLITE_OK) {
    bool last = scan->ahead.block->to == scan->file.stat.st_size;
    leave_block(scan);
    if (!last) code = take_block(scan);
  }
  if (code == SQLITE_OK) tr_file_close(&scan->file);
  return code;
}
