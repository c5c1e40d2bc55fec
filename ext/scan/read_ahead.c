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
  while (scan->queue_at < scan->queue_count && !scan->read_ahead.waits) {
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
    scan->read_ahead.waits = !*opened && entry != TR_ENTRY_VANISHED;
    if (scan->read_ahead.waits) {
      tr_file_close(&file);
      return SQLITE_OK;
    }
    scan->queue_at++;
    if (!*opened) continue;
    scan->read_ahead.ordinal = ordinal;
    scan->read_ahead.file = file;
    scan->read_ahead.from = 0;
    return SQLITE_OK;
  }
  return SQLITE_OK;
}

/* Describes the next block of the file at hand. */
static void post_block(TrScan *scan, TrBlock *block, bool owns_file) {
  int64_t size = scan->read_ahead.file.stat.st_size, from = scan->read_ahead.from;
  block->ordinal = scan->read_ahead.ordinal;
  block->file = scan->read_ahead.file;
  block->owns_file = owns_file;
  block->from = from;
  block->to = from - from % TR_BLOCK_BYTES + TR_BLOCK_BYTES;
  if (block->to > size) block->to = size;
  scan->read_ahead.from = block->to;
  tr_workers_post(scan->read_ahead.blocks);
}

static int post_blocks(TrScan *scan) {
  TrBlock *block;
  while ((block = tr_workers_room(scan->read_ahead.blocks)) != NULL) {
    bool opened = false;
    if (scan->read_ahead.from == scan->read_ahead.file.stat.st_size) {
      int code = open_ahead(scan, &opened);
      if (code != SQLITE_OK || !opened) return code;
    }
    post_block(scan, block, opened);
  }
  return SQLITE_OK;
}

/* Turns to the next of the blocks that were posted, if there is one. */
static int take_block(TrScan *scan) {
  scan->read_ahead.given = 0;
  scan->read_ahead.by_line = false;
  int code = tr_workers_take(scan->read_ahead.blocks, scan->poll, &scan->read_ahead.block);
  if (scan->read_ahead.block) scan->connection->untimed += scan->read_ahead.block->untimed;
  return code;
}

static void leave_block(TrScan *scan) {
  if (scan->read_ahead.block) tr_workers_release(scan->read_ahead.blocks);
  scan->read_ahead.block = NULL;
}

int tr_read_ahead_next_block(TrScan *scan) {
  leave_block(scan);
  int code = tr_workers_is_low(scan->read_ahead.blocks) ? post_blocks(scan) : SQLITE_OK;
  return code == SQLITE_OK ? take_block(scan) : code;
}

/* Turns to the first block of the next file that was opened ahead. */
int tr_read_ahead_next_file(TrScan *scan) {
  if (scan->read_ahead.blocks == NULL) return SQLITE_OK;
  int code = tr_read_ahead_next_block(scan);
  TrBlock *block = scan->read_ahead.block;
  if (code != SQLITE_OK || block == NULL) {
    scan->read_ahead.waits = false;
    return code;
  }
  scan->ordinal = block->ordinal;
  scan->name = tr_names_get(scan->connection->names, scan->ordinal);
  scan->file = block->file;
  block->owns_file = false;
  return SQLITE_OK;
}

/* From here on, blocks, if threads can be had and there is enough left for them to do. */
int tr_read_ahead_begin(TrScan *scan) {
  int64_t from = tr_lines_following(&scan->lines), size = scan->file.stat.st_size;
  scan->read_ahead.begins_at = INT64_MAX;
  if (from >= size || (size - from < TR_SHARE_BYTES / 4 && scan->queue_at == scan->queue_count)) return SQLITE_OK;
  if (scan->read_ahead.blocks == NULL) {
    TrWanted wanted = {.want = scan->want, .filter = &scan->filter, .max_line = scan->max_line};
    scan->read_ahead.blocks = tr_workers_start(&wanted, scan->read_ahead.threads);
  }
  if (scan->read_ahead.blocks == NULL) {
    scan->read_ahead.threads = 1;
    return SQLITE_OK;
  }
  scan->read_ahead.ordinal = scan->ordinal;
  scan->read_ahead.file = scan->file;
  scan->read_ahead.from = from;
  int code = post_blocks(scan);
  return code == SQLITE_OK ? take_block(scan) : code;
}

/* The rest of the current file is not wanted. */
int tr_read_ahead_leave_file(TrScan *scan) {
  int code = SQLITE_OK;
  if (scan->read_ahead.ordinal == scan->ordinal)
    scan->read_ahead.from = scan->read_ahead.file.stat.st_size; /* nor are more blocks */
  while (scan->read_ahead.block && code == SQLITE_OK) {
    bool last = scan->read_ahead.block->to == scan->file.stat.st_size;
    leave_block(scan);
    if (!last) code = take_block(scan);
  }
  if (code == SQLITE_OK) tr_file_close(&scan->file);
  return code;
}
