/*
** index.h - what is known of a job's live file already: a cache outside of the directory of results, so that a question
** that is asked again reads only what is new. ext/INDEX.md tells users; each answer is the same without it.
**
** An index tells of the whole lines in [0, end): for each block of about 1 MiB its counts, and for each record where it
** is, when it ran and whether it succeeded. Everything here can fail without an error: then nothing is known.
**
**   tr_index_place_open                        once for a question
**   tr_index_load, then tr_index_walk_* up to index.end, then read the lines from there on and tr_index_add them,
**   tr_index_save, tr_index_free               for each file
**   tr_index_place_close
*/
#ifndef TR_INDEX_H
#define TR_INDEX_H

#include "../base/base.h"
#include "../read/read.h"
#include "../figures/figures.h"
#include "../history/history.h"

#pragma GCC visibility push(hidden)

/* Raise it with each change of what is a record, what its time is, or what counts as its success. */
#define TR_VERDICT_VERSION 1
#define TR_INDEX_FORMAT 1

#ifndef TR_INDEX_BLOCK_BYTES /* the tests also build with small ones */
#define TR_INDEX_BLOCK_BYTES (1024 * 1024)
#define TR_INDEX_LEAST_BYTES (32 * 1024)     /* a smaller file is read as ever */
#define TR_INDEX_LEAST_NEW_BYTES (16 * 1024) /* fewer new ones are not saved, but read again */
#endif
#define TR_INDEX_MOST_BYTES (64 * 1024 * 1024) /* of a file of the index */
#define TR_INDEX_HASH_BYTES 16

/* ------------------------------------------------------------------------------------------------------------------
** index/place.c - where the indexes of a directory of results are
** index/folders.c - a path, no part of which another user can change
*/
typedef struct TrIndexPlace {
  int fd;           /* owned: the folder of this directory's indexes; -1: there is none (yet) */
  char *path;       /* owned: of that folder; NULL: no index is used */
  char *cache;      /* owned: of the folder with those of all directories; the same */
  int dir_fd;       /* borrowed: of the directory of results */
  bool cannot_make; /* the folder is missing, and cannot be made */
  unsigned asked;   /* files of which nothing new had to be read: see tr_index_load() */
  char why[256];    /* if no index is used, and it is not off: why, for doctor */
} TrIndexPlace;

/* `setting`: that of TASKRESULTS_INDEX: NULL or "off", "auto", or the absolute path of a directory. `mapping`: its JSON,
** or NULL. `dir` is borrowed. SQLITE_OK, even if no index can be used; or an error, if the setting is a mistake. */
TR_CHECKED int tr_index_place_open(TrIndexPlace *place, const char *setting, const TrDir *dir, size_t max_line,
                                   const char *mapping, char **message);
void tr_index_place_close(TrIndexPlace *place);
static inline bool tr_index_is_on(const TrIndexPlace *place) {
  return place->path != NULL;
}

/* ------------------------------------------------------------------------------------------------------------------
** index/build.c - lines -> blocks
** index/packed.c - records <-> bytes
*/
typedef enum TrIndexedSuccess { /* as the column `success` shows it */
                                TR_INDEXED_FALSE,
                                TR_INDEXED_TRUE,
                                TR_INDEXED_NULL,
                                TR_INDEXED_OTHER, /* anything else: read the line */
} TrIndexedSuccess;

typedef struct TrIndexed { /* a record */
  int64_t offset;
  int64_t time_us; /* has_time */
  bool has_time;
  uint8_t success; /* TrIndexedSuccess */
} TrIndexed;

typedef struct TrIndexBlock { /* whole lines: [from, to) */
  int64_t from, to;
  uint32_t records, rejects;
  uint32_t failures; /* records that are FALSE or NULL: surely not ok. OTHER may be one, too */
  uint32_t others;   /* records whose success is OTHER */
  uint32_t untimed;  /* records without a readable time */
  bool
      is_canonical; /* each record has a timestamp like 2026-02-14T09:30:00.25Z: so as texts, they sort by the second */
  int64_t least_us, greatest_us;           /* of the timed records; if there are none, INT64_MAX and INT64_MIN */
  unsigned char hash[TR_INDEX_HASH_BYTES]; /* of the bytes of the file */
  unsigned char *packed;                   /* the records; in TrIndex.bytes, or owned: */
  size_t packed_bytes;
  bool is_owned;
} TrIndexBlock;

typedef struct TrIndexIdentity { /* of a job's file */
  uint64_t inode;
  int64_t size;
  int64_t changed_ns, status_changed_ns; /* mtime and ctime */
  int64_t born_ns;                       /* 0: unknown */
} TrIndexIdentity;

struct TrIndexBuilder; /* build.c: the block to which lines are being added */

/* A zeroed one is valid: nothing is known. */
typedef struct TrIndex {
  int64_t end;         /* the whole lines before it are known. After add, that is where the next line has to begin */
  TrIndexBlock *block; /* owned: [0, end), but for the block that is being built */
  size_t count, room;
  /* What follows is ext/index/'s own. */
  int fd; /* borrowed: the job's file, which tr_index_add may read */
  TrIndexIdentity identity;
  struct TrIndexBuilder *builder; /* owned */
  bool is_stopped;                /* nothing more is added */
  bool wants_save;                /* what is in the file of the index can be better, with no new lines, too */
  unsigned char *bytes;           /* owned: the file of the index, as it was read */
  uint64_t seed;                  /* of its hashes */
  uint64_t index_inode;
  int64_t index_size, whole_bytes, dead_bytes; /* of that file: all, its whole frames, and what of them is outdated */
  int64_t saved_end;                           /* what its frames know */
  size_t saved_count;                          /* of blocks that have not changed since */
} TrIndex;

/* Adds the next lines: in the file's order, from index->end on, each exactly once. Lines that are blank may be missing.
** A line that is not whole, and what may still change, is not added, nor is anything behind it: then index->end stays.
** SQLITE_OK or SQLITE_NOMEM; after the latter, the index knows what it knew, and adds nothing more. */
TR_CHECKED int tr_index_add(TrIndex *index, const TrParsed *lines, unsigned count);
/* Ends the block that is being built, so that the blocks tell of all of [0, end). tr_index_save calls it. */
TR_CHECKED int tr_index_finish(TrIndex *index);
void tr_index_free(TrIndex *index); /* it is a zeroed one then */

typedef struct TrIndexWalk {
  const unsigned char *at, *stop; /* in the packed records of a block */
  TrIndexed last;
} TrIndexWalk;

void tr_index_walk_begin(TrIndexWalk *walk, const TrIndex *index, size_t block);
bool tr_index_walk_next(TrIndexWalk *walk, TrIndexed *record); /* false: the block has no more */

/* ------------------------------------------------------------------------------------------------------------------
** index/load.c - the file of an index -> what is known, if it is believed
** index/save.c - what is known -> the file of the index
*/
/* `file` is open, and its stat that of the open file. If nothing is known, *index is valid, and lines can be added.
** SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. The descriptor of `file` is borrowed until tr_index_free(). */
TR_CHECKED int tr_index_load(TrIndexPlace *place, const char *file_name, const TrFile *file, TrPoll *poll,
                             TrIndex *index);
/* Only after all lines up to the end of the file were added, or not at all: saves what is known, if it is worth it. */
void tr_index_save(TrIndexPlace *place, const char *file_name, TrIndex *index);

#pragma GCC visibility pop
#endif /* TR_INDEX_H */
