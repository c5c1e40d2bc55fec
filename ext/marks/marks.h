/*
** marks.h - how far `taskresults ship` has come in the files of jobs, and what it must be told of moved lines.
*/
#ifndef TR_MARKS_H
#define TR_MARKS_H

#include "../base/base.h"
#include "../read/read.h"
#include "../scheduler/scheduler.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** marks/ship_marks.c - how far `taskresults ship` has come: what a prune must not drop
*/

/* How far one sink has come in a file; or, of a move, from where on a prune has moved its lines. */
typedef struct TrMark {
  char *file;          /* owned: its name */
  uint64_t dev, inode; /* of the file at that time */
  int64_t end;         /* bytes */
  uint64_t new_inode;  /* a move: of the file that took its place, */
  int64_t new_end;     /* and where the byte at `end` is in it */
  size_t number;       /* a mark: which sink. A move: its place in the order of writing */
} TrMark;

typedef struct TrMarkList {
  TrMark *mark; /* owned: by file, then by number */
  size_t count, room;
} TrMarkList;

#define TR_SHIPPED "shipped" /* the folder in .taskresults */

typedef struct TrMarks {
  TrOwnFolder folder; /* owned; as it was before it was read */
  bool is_settled;    /* a later change will have another time than the one in `folder` */
  TrNameList sinks;   /* the names of their files; none: nobody ships, and all that follows is empty */
  TrMarkList marks, moves;
  struct stat moves_found; /* of the newest file of moves, before it was read; zeros: there was none */
} TrMarks;

/* If something is not understood, so that nothing may be pruned, *message has the cause. After an error nothing is left
** to free. */
#define TR_MARKS_REMEDY "to prune all the same, whatever has not been shipped: 'unshipped', 1, or --unshipped"
TR_CHECKED int tr_marks_read(TrMarks *marks, const TrDir *dir, TrPoll *poll, char **message);
TR_CHECKED int tr_marks_refresh(TrMarks *marks, const TrDir *dir, TrPoll *poll, char **message); /* if it has changed */
void tr_marks_note_move(TrMarks *marks, const struct stat *before, const struct stat *after); /* our own: no change */
void tr_marks_free(TrMarks *marks);
bool tr_marks_name_inode(const TrMarks *marks, const char *file, const struct stat *found);

/* Lines of the file that end behind this byte are not read for *sink (borrowed), the slowest one. INT64_MAX, and
** *sink is NULL: nobody ships. `now`: the file as it was opened, after the marks were read. */
int64_t tr_marks_end(const TrMarks *marks, const char *file, const struct stat *now, const char **sink);

#pragma GCC visibility pop
#endif /* TR_MARKS_H */
