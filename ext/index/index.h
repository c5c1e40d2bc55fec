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
#define TR_INDEX_SETTLED_US                                                                                            \
  (2 * TR_US_PER_SECOND) /* a file that has changed since then may change with the same times */
#define TR_INDEX_HASH_BYTES 16

/* ------------------------------------------------------------------------------------------------------------------
** index/hash.c - XXH3-128, by libxxhash: finds what has changed by accident, and is no cryptographic hash
*/
typedef struct TrFastHash TrFastHash;

bool tr_fast_hash_is_there(void); /* false: this build goes without (WITH_INDEX=0), and has no index */
void tr_fast_hash(const void *bytes, size_t length, uint64_t seed, unsigned char out[TR_INDEX_HASH_BYTES]);
/* In parts: new, begin, add, end, free; or, after end, begin again. NULL: out of memory. */
TrFastHash *tr_fast_hash_new(void);
void tr_fast_hash_begin(TrFastHash *hash, uint64_t seed);
void tr_fast_hash_add(TrFastHash *hash, const void *bytes, size_t length);
void tr_fast_hash_end(TrFastHash *hash, unsigned char out[TR_INDEX_HASH_BYTES]);
void tr_fast_hash_free(TrFastHash *hash);
/* The bytes [from, to) of a file. False: they cannot be read, or are not there. */
TR_CHECKED bool tr_fast_hash_add_file(TrFastHash *hash, int fd, int64_t from, int64_t to);

/* ------------------------------------------------------------------------------------------------------------------
** index/folders.c - a path -> its folder, if nobody else can change what it leads to
** index/place.c - where the indexes of a directory of results are
*/
/* Opens the folder, and makes what is missing if `makes` is set: for us alone. -1: *why is the reason, or empty if it
** is only missing. */
TR_CHECKED int tr_folders_open(const char *path, bool makes, char *why, size_t why_size);
/* The setting TASKRESULTS_INDEX: NULL: off. */
const char *tr_index_setting(void);

typedef struct TrIndexPlace {
  int fd;            /* owned: the folder of this directory's indexes; -1: there is none (yet) */
  char *path;        /* owned: of that folder; NULL: no index is used */
  char *cache;       /* owned: of the folder with those of all directories; the same */
  int dir_fd;        /* borrowed: of the directory of results */
  bool is_closed;    /* the folder cannot be opened or made: no further attempt */
  uint64_t random;   /* the state of a generator */
  unsigned unread;   /* files of which nothing new had to be read: see load.c */
  bool samples_none; /* the caller looks at all blocks itself */
  char why[512];     /* if no index is used, and it is not off: why, for doctor */
} TrIndexPlace;

/* `setting`: that of TASKRESULTS_INDEX: NULL or "off", "auto", or the absolute path of a directory. `mapping`: its
** JSON, or NULL. `dir` is borrowed. SQLITE_OK, even if no index can be used; or an error, if the setting is wrong. */
TR_CHECKED int tr_index_place_open(TrIndexPlace *place, const char *setting, const TrDir *dir, size_t max_line,
                                   const char *mapping, char **message);
void tr_index_place_close(TrIndexPlace *place);
static inline bool tr_index_is_on(const TrIndexPlace *place) {
  return place->path && !place->is_closed;
}
/* Opens the folder, and makes it if `makes` is set. False: there is none, or it cannot be used (then is_closed). */
bool tr_index_place_enter(TrIndexPlace *place, bool makes);

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

typedef struct TrIndexSaved {    /* the file of the index, as it was read */
  unsigned char *bytes;          /* owned */
  int64_t size, whole, outdated; /* bytes: all; up to the last whole frame, with its header; of those, replaced since */
  uint64_t inode, seed;          /* the seed is that of all hashes */
  unsigned char last_hash[TR_INDEX_HASH_BYTES]; /* of the last whole frame */
  bool is_unusable;                             /* it is somebody else's, or no regular file, or too large */
} TrIndexSaved;

typedef struct TrIndexIdentity { /* of a job's file */
  uint64_t inode;
  int64_t size;
  int64_t changed_ns, status_changed_ns; /* mtime and ctime */
  int64_t born_ns;                       /* 0: unknown */
} TrIndexIdentity;

struct TrIndexBuilder; /* build.c: the block to which lines are being added */

/* A zeroed one is valid: nothing is known, and nothing is added. */
typedef struct TrIndex {
  int64_t end;         /* the whole lines before it are known */
  TrIndexBlock *block; /* owned: of [0, end); after add, without the block that is being built */
  size_t count, room;
  bool takes_lines; /* lines from `end` on are wanted, and worth to be saved: see tr_index_add() */
  /* What follows is ext/index/'s own. */
  int fd;                         /* borrowed: the job's file */
  TrIndexIdentity identity;       /* of it, when it was opened */
  int64_t opened_us;              /* when that was, or a bit later */
  bool is_draining;               /* a prune of the job is at work, or was killed */
  struct TrIndexBuilder *builder; /* owned */
  size_t packed_bytes;            /* of all blocks */
  bool wants_save;                /* that the file is the same can be told more easily, if this is saved */
  TrIndexSaved saved;
  int64_t saved_end;
  int64_t known_us;   /* when that became known */
  size_t saved_count; /* the first blocks, which are saved as they are */
} TrIndex;

/* Adds the next lines: in the file's order, from index->end on, each exactly once. Lines that are blank may be missing.
** A line that is not whole, and what may still change, is not added, nor is anything behind it: then takes_lines is
** false.
** SQLITE_OK or SQLITE_NOMEM. The blocks must have been walked before, as the last one goes on. */
TR_CHECKED int tr_index_add(TrIndex *index, const TrParsed *lines, unsigned count);
/* Ends the block that is being built, so that the blocks tell of all of [0, end). tr_index_save calls it. */
TR_CHECKED int tr_index_finish(TrIndex *index);
void tr_index_free(TrIndex *index); /* it is a zeroed one then */

static inline bool tr_index_is_full(const TrIndex *index) { /* more would not fit into its file */
  return index->packed_bytes > TR_INDEX_MOST_BYTES / 4 * 3;
}
void tr_index_builder_free(TrIndex *index);
/* For load.c: hashes the last block again, so that it can go on. *is_same: it is what was hashed before. */
TR_CHECKED int tr_index_resume(TrIndex *index, bool *is_same);

#define TR_PACKED_MOST_BYTES 20
/* Writes the record that follows *last in its block, and makes it the last. Returns the bytes written. */
size_t tr_packed_put(unsigned char out[TR_PACKED_MOST_BYTES], TrIndexed *last, const TrIndexed *record);

typedef struct TrIndexWalk {
  const unsigned char *at, *stop; /* in the packed records of a block */
  TrIndexed last;
} TrIndexWalk;

void tr_index_walk_begin(TrIndexWalk *walk, const TrIndex *index, size_t block);
bool tr_index_walk_next(TrIndexWalk *walk, TrIndexed *record); /* false: the block has no more */

/* ------------------------------------------------------------------------------------------------------------------
** index/frame.c - blocks <-> the bytes of the file of an index
*/
#define TR_INDEX_PAGE_BYTES 4096
#define TR_INDEX_BLOCK_HEADER_BYTES (8 + 6 * 4 + 2 * 8 + TR_INDEX_HASH_BYTES + 4) /* before its packed records */

typedef struct TrIndexHead { /* of a frame: of which file, and up to where */
  TrIndexIdentity identity;
  int64_t opened_us; /* when the file was that */
  int64_t end;
  unsigned char first_page[TR_INDEX_HASH_BYTES], last_page[TR_INDEX_HASH_BYTES]; /* of [0, end) */
} TrIndexHead;

/* index->saved.bytes -> the blocks, and the head of the last whole frame; what is wrong just ends them. *has_head:
** there is one. SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_index_decode(TrIndex *index, TrIndexHead *head, bool *has_head);
/* The bytes to be written at index->saved.whole: a frame with the blocks from `first` on; if `whole` is 0, behind the
** header of the file. The caller frees them. NULL: out of memory. */
unsigned char *tr_index_encode(const TrIndex *index, const TrIndexHead *head, size_t first, size_t *length);
bool tr_index_hash_pages(const TrIndex *index, TrIndexHead *head); /* sets both. False: the file cannot be read */

/* ------------------------------------------------------------------------------------------------------------------
** index/load.c - the file of an index -> what is known, if it is believed
** index/save.c - what is known -> the file of the index
*/
/* `file` is open, and its stat that of the open file. SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. The descriptor of
** `file` is borrowed until tr_index_save(). *index can be freed in any case. */
TR_CHECKED int tr_index_load(TrIndexPlace *place, const char *file_name, const TrFile *file, TrPoll *poll,
                             TrIndex *index);
/* Saves what is known, if it is worth it. Afterwards, the index can only be freed. */
void tr_index_save(TrIndexPlace *place, const char *file_name, TrIndex *index);
/* The job's file is not what was saved of it: that is emptied, so that no question believes it any more. */
void tr_index_forget(TrIndexPlace *place, const char *file_name);

/* The file of an index: only ours, regular, with one name. -1: there is none, or *is_unusable. */
TR_CHECKED int tr_index_file_open(const TrIndexPlace *place, const char *file_name, int flags, struct stat *found,
                                  bool *is_unusable);

/* Is a block what it was? Its bytes are read again. */
TR_CHECKED int tr_index_block_is_same(const TrIndex *index, size_t number, bool *is_same);

/* ------------------------------------------------------------------------------------------------------------------
** index/survey.c - what there is of indexes: for people
*/
typedef enum TrIndexStanding {
  TR_INDEX_BELIEVED,
  TR_INDEX_NEEDLESS, /* the job's file is small */
  TR_INDEX_MISSING,
  TR_INDEX_OUTDATED, /* the job's file is another one, or changed; or the index is damaged */
  TR_INDEX_UNUSABLE, /* it belongs to somebody else, or is no regular file */
} TrIndexStanding;

typedef struct TrIndexSurvey {
  TrIndexStanding standing;
  int64_t bytes, end;  /* of the job's file: all; and those that are known */
  int64_t index_bytes; /* of the file of the index */
  int64_t known_us;    /* when they became known */
  int64_t records;
} TrIndexSurvey;

/* As tr_index_load(), which it calls. */
TR_CHECKED int tr_index_survey(TrIndexPlace *place, const char *file_name, const TrFile *file, TrPoll *poll,
                               TrIndexSurvey *survey, TrIndex *index);
/* The next bytes that are not those that were read, from *block on, which it moves on. changed->from is -1: none. */
TR_CHECKED int tr_index_find_change(const TrIndex *index, size_t *block, TrPoll *poll, TrRange *changed);

typedef struct TrIndexTotals {
  int64_t files, bytes;
  int64_t left; /* files that could not be removed */
} TrIndexTotals;

/* All indexes of the directory: those of `place`, and those of other versions, limits and mappings. `drops` removes
** them; then open the place anew. */
TR_CHECKED int tr_index_count_all(const TrIndexPlace *place, bool drops, TrIndexTotals *own, TrIndexTotals *others);

#pragma GCC visibility pop
#endif /* TR_INDEX_H */
