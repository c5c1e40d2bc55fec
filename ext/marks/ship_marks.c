/*
** ship_marks.c - how far `taskresults ship` has come: what a prune must not drop.
**
** In the folder .taskresults/shipped of the results directory, NAME.jsonl has the marks of the sink NAME. Its first
** line is {"taskresults_marks":1, ...}. A line of {"file":"JOB.jsonl","dev":D,"inode":I,"end":BYTES} for each file
** follows: all lines that begin before `end` are shipped, or safe in the sink's own database. Ship replaces the whole
** file: half of one is a sign that something is wrong. A number may also be a text of digits, since JSON's numbers are
** exact only up to 2^53.
**
** What a sink has not named is not shipped: a file without a mark; a file with another inode, unless a prune has
** recorded that the lines moved there (moves.c); and a file that ends before its mark, so somebody has truncated it.
**
** Whatever we do not understand is an error: a prune that guessed would drop what can't be brought back. The folder and
** its files are trusted if they belong to us, to root, or to the owner of the results directory. A mark can only keep a
** prune from dropping something, so this protects less than trust.c does.
*/
#include "marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARKS "the marks of taskresults ship"
#define MAX_LINE_BYTES (64 * 1024)  /* two names, and each byte may be an escape of six */
#define SETTLED_US TR_US_PER_SECOND /* a change that is as old as this has a time of its own */

/* One of the folder's files, while it is read. */
typedef struct MarksFile {
  TrMarks *marks; /* borrowed, like the next two */
  TrDir *folder;
  const char *name;
  size_t sink;   /* whose marks these are */
  bool is_known; /* its first line was understood */
} MarksFile;

/* --- errors ------------------------------------------------------------------------------------------------------- */

static int marks_file_error(const MarksFile *file, int code, const char *cause, char **message) {
  return tr_error(message, code, MARKS ", %s/%s: %s", file->folder->path, file->name, cause);
}

static int marks_line_error(const MarksFile *file, const TrLine *line, const char *cause, char **message) {
  return tr_error(message, SQLITE_ERROR, MARKS ", %s/%s, cannot be understood at byte %lld: %s", file->folder->path,
                  file->name, (long long)line->offset, cause);
}

static int marks_owner_error(const MarksFile *file, uid_t found, char **message) {
  char cause[96];
  snprintf(cause, sizeof cause, "it belongs to user %u, and should to user %u or %u", (unsigned)found,
           (unsigned)file->marks->folder.dir_owner, (unsigned)geteuid());
  return marks_file_error(file, SQLITE_ERROR, cause, message);
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

static bool take_mark_digits(const char *text, uint64_t *number) {
  *number = 0;
  if (*text == '\0') return false;
  for (; tr_is_digit(*text); text++) {
    if (*number > (UINT64_MAX - 9) / 10) return false;
    *number = *number * 10 + (uint64_t)(*text - '0');
  }
  return *text == '\0';
}

static bool take_mark_number(const TrJson *object, const char *key, uint64_t *number) {
  const TrJson *value = tr_json_member(object, key);
  const char *text = tr_json_text(value);
  int64_t integer;
  if (text) return take_mark_digits(text, number);
  if (!tr_json_integer(value, &integer) || integer < 0) return false;
  *number = (uint64_t)integer;
  return true;
}

static bool take_mark_end(const TrJson *object, const char *key, int64_t *end) {
  uint64_t number;
  if (!take_mark_number(object, key, &number) || number > TR_MAX_FILE_BYTES) return false;
  *end = (int64_t)number;
  return true;
}

/* *file is owned by the tree. */
static bool take_mark_fields(const TrJson *object, TrMark *mark, const char **file) {
  *file = tr_json_text(tr_json_member(object, "file"));
  return *file && take_mark_number(object, "dev", &mark->dev) && take_mark_number(object, "inode", &mark->inode) &&
         take_mark_end(object, "end", &mark->end);
}

static int add_mark(TrMarkList *list, TrMark mark, const char *file) {
  TrMark *grown = tr_array_reserve(list->mark, &list->room, list->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  list->mark = grown;
  mark.file = sqlite3_mprintf("%s", file);
  if (mark.file == NULL) return SQLITE_NOMEM;
  list->mark[list->count++] = mark;
  return SQLITE_OK;
}

static int take_marks_line(MarksFile *file, const TrLine *line, const TrJson *value, char **message) {
  TrMark mark = {.number = file->sink};
  const char *name;
  int64_t version;
  if (!file->is_known) {
    if (!tr_json_integer(tr_json_member(value, "taskresults_marks"), &version) || version != 1) {
      return marks_line_error(file, line, "it should begin with {\"taskresults_marks\":1", message);
    }
    file->is_known = true;
    return SQLITE_OK;
  }
  if (take_mark_fields(value, &mark, &name)) return add_mark(&file->marks->marks, mark, name);
  return marks_line_error(file, line, "not an object with the keys file, dev, inode and end", message);
}

/* A line that is not understood is left out: it was torn by a kill, before that prune could move anything. */
static int take_move(MarksFile *file, const TrJson *value) {
  TrMark move = {.number = file->marks->moves.count};
  const char *name;
  if (!take_mark_fields(value, &move, &name) || !take_mark_number(value, "new_inode", &move.new_inode) ||
      !take_mark_end(value, "new_end", &move.new_end)) {
    return SQLITE_OK;
  }
  return add_mark(&file->marks->moves, move, name);
}

/* --- one file ----------------------------------------------------------------------------------------------------- */

static int take_line_of(MarksFile *file, const TrLine *line, bool is_moves, char **message) {
  TrJson *value = NULL;
  char *cause = NULL;
  int code = SQLITE_CORRUPT;
  if (!line->too_long && line->terminated)
    code = tr_json_parse((const char *)line->text, (size_t)line->length, &value, &cause);
  if (code == SQLITE_OK) code = is_moves ? take_move(file, value) : take_marks_line(file, line, value, message);
  if (code == SQLITE_CORRUPT) {
    const char *why = line->too_long ? "a line is too long" : !line->terminated ? "its last line has no end" : cause;
    code = is_moves ? SQLITE_OK : marks_line_error(file, line, why, message);
  }
  tr_json_free(value);
  sqlite3_free(cause);
  return code;
}

static int read_lines_of(MarksFile *file, const TrFile *opened, bool is_moves, TrPoll *poll, char **message) {
  TrLines lines = {.fd = -1};
  TrLine line;
  int code = tr_lines_open(&lines, opened->fd, 0, opened->stat.st_size, MAX_LINE_BYTES, false, poll);
  while (code == SQLITE_OK && (code = tr_lines_next(&lines, &line)) == SQLITE_ROW) {
    code = take_line_of(file, &line, is_moves, message);
  }
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT) marks_file_error(file, code, strerror(errno), message);
  tr_lines_close(&lines);
  if (code == SQLITE_DONE) code = SQLITE_OK;
  if (code != SQLITE_OK || is_moves || file->is_known) return code;
  return marks_file_error(file, SQLITE_ERROR, "it is empty", message);
}

static int read_file_of(MarksFile *file, bool is_moves, TrPoll *poll, char **message) {
  TrFile opened = {.fd = -1};
  TrEntry entry;
  int code = tr_dir_open_file(file->folder, file->name, poll, &opened, &entry);
  if (code != SQLITE_OK || entry == TR_ENTRY_VANISHED) return code;
  if (entry == TR_ENTRY_IRREGULAR) {
    char cause[64];
    snprintf(cause, sizeof cause, "it is %s", tr_file_type(opened.stat.st_mode));
    return marks_file_error(file, SQLITE_ERROR, cause, message);
  }
  if (entry == TR_ENTRY_UNREADABLE) {
    return marks_file_error(file, tr_error_code(opened.error_number), strerror(opened.error_number), message);
  }
  if (opened.stat.st_nlink > 1) {
    code = marks_file_error(file, SQLITE_ERROR, "it has several names (hard links)", message);
  } else if (!tr_own_folder_trusts(&file->marks->folder, opened.stat.st_uid)) {
    code = marks_owner_error(file, opened.stat.st_uid, message);
  } else {
    code = read_lines_of(file, &opened, is_moves, poll, message);
  }
  tr_file_close(&opened);
  return code;
}

/* --- the folder --------------------------------------------------------------------------------------------------- */

static int visit_marks_entry(void *context, const char *name) {
  TrMarks *marks = context;
  size_t length = strlen(name);
  return tr_name_is_job_file(name, length) ? tr_name_list_add(&marks->sinks, name, length) : SQLITE_OK;
}

static int compare_marks(const void *a, const void *b, void *context) {
  const TrMark *one = a, *other = b;
  (void)context;
  int order = strcmp(one->file, other->file);
  return order ? order : (one->number > other->number) - (one->number < other->number);
}

static void sort_marks(TrMarkList *list) {
  if (list->count > 1) tr_sort(list->mark, list->count, sizeof *list->mark, compare_marks, NULL);
}

static int read_folder(TrMarks *marks, TrDir *folder, TrPoll *poll, char **message) {
  static const char *const moves[] = {"moves.1", "moves"}; /* the older ones first */
  MarksFile file = {.marks = marks, .folder = folder};
  int code = tr_dir_list(folder, poll, visit_marks_entry, marks, message);
  tr_name_list_sort(&marks->sinks);
  for (; code == SQLITE_OK && file.sink < marks->sinks.count; file.sink++) {
    file.name = marks->sinks.name[file.sink];
    file.is_known = false;
    code = read_file_of(&file, false, poll, message);
  }
  for (int i = 0; i < 2 && code == SQLITE_OK && marks->sinks.count > 0; i++) {
    file.name = moves[i];
    code = read_file_of(&file, true, poll, message);
  }
  sort_marks(&marks->marks);
  sort_marks(&marks->moves);
  return code;
}

static int64_t changed_us(const struct stat *folder) {
  return (int64_t)folder->st_mtim.tv_sec * TR_US_PER_SECOND + folder->st_mtim.tv_nsec / 1000;
}

static void look_at_moves(int fd, const char *path, struct stat *found) {
  if (fstatat(fd, path, found, AT_SYMLINK_NOFOLLOW) != 0) *found = (struct stat){0};
}

/* Prunes only append to it, or begin a new one. */
static bool are_moves_the_same(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size;
}

void tr_marks_note_move(TrMarks *marks, const struct stat *before, const struct stat *after) {
  if (are_moves_the_same(before, &marks->moves_found)) marks->moves_found = *after;
}

int tr_marks_read(TrMarks *marks, const TrDir *dir, TrPoll *poll, char **message) {
  *marks = (TrMarks){.folder.fd = -1};
  int64_t now_us = tr_clock_us();
  int code = tr_own_folder_open(&marks->folder, dir->fd, dir->path, TR_SHIPPED, false, MARKS, message);
  bool exists = code == SQLITE_OK && marks->folder.fd >= 0;
  if (exists) {
    TrDir folder = {.fd = marks->folder.fd, .store = dir->store};
    look_at_moves(folder.fd, "moves", &marks->moves_found);
    folder.path = sqlite3_mprintf("%s/" TR_OWN_FOLDER "/" TR_SHIPPED, dir->path);
    code = folder.path ? read_folder(marks, &folder, poll, message) : SQLITE_NOMEM;
    sqlite3_free((char *)folder.path);
  }
  marks->is_settled = exists && now_us - changed_us(&marks->folder.found) > SETTLED_US;
  if (code != SQLITE_OK) tr_marks_free(marks);
  return code;
}

/* Ship replaces its file by a rename, which changes the folder's time. A prune's move is appended, which does not. */
int tr_marks_refresh(TrMarks *marks, const TrDir *dir, TrPoll *poll, char **message) {
  const struct stat *then = &marks->folder.found;
  struct stat now, moves;
  bool exists = fstatat(dir->fd, TR_OWN_FOLDER "/" TR_SHIPPED, &now, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno == ENOENT && marks->folder.fd < 0) return SQLITE_OK;
  bool is_same = exists && marks->is_settled && now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
                 changed_us(&now) == changed_us(then);
  if (is_same) look_at_moves(dir->fd, TR_OWN_FOLDER "/" TR_SHIPPED "/moves", &moves);
  if (is_same && are_moves_the_same(&moves, &marks->moves_found)) return SQLITE_OK;
  tr_marks_free(marks);
  return tr_marks_read(marks, dir, poll, message);
}

static void free_mark_list(TrMarkList *list) {
  for (size_t i = 0; i < list->count; i++) sqlite3_free(list->mark[i].file);
  sqlite3_free(list->mark);
}

void tr_marks_free(TrMarks *marks) {
  tr_own_folder_close(&marks->folder);
  tr_name_list_free(&marks->sinks);
  free_mark_list(&marks->marks);
  free_mark_list(&marks->moves);
  *marks = (TrMarks){.folder.fd = -1};
}

/* --- what they say of a file -------------------------------------------------------------------------------------- */

/* The first entry of the file, and how many there are. */
static const TrMark *entries_of(const TrMarkList *list, const char *file, size_t *count) {
  size_t from = 0, to = list->count;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (strcmp(list->mark[middle].file, file) < 0)
      from = middle + 1;
    else
      to = middle;
  }
  for (to = from; to < list->count && strcmp(list->mark[to].file, file) == 0;) to++;
  *count = to - from;
  return *count > 0 ? list->mark + from : list->mark; /* which is NULL if there are none at all */
}

bool tr_marks_name_inode(const TrMarks *marks, const char *file, const struct stat *found) {
  size_t count;
  const TrMark *mark = entries_of(&marks->marks, file, &count);
  for (size_t i = 0; i < count; i++) {
    if (mark[i].dev == found->st_dev && mark[i].inode == found->st_ino) return true;
  }
  return false;
}

/* Where the mark is in the file that has the name now; 0 if that cannot be known. The moves are walked back, from the
** file of now to the one that the mark names: of two moves to one inode, the later one made the file of now. (No prune
** makes a file with an inode that a mark names, so the walk ends at the file that the mark means.) */
static int64_t find_end(const TrMarks *marks, const TrMark *mark, const struct stat *now) {
  size_t count;
  const TrMark *move = entries_of(&marks->moves, mark->file, &count);
  uint64_t inode = now->st_ino;
  int64_t shift = 0, least = 0; /* of an offset in the file with that inode: to now; which ones have a place there */
  while (inode != mark->inode) {
    while (count > 0 && (move[count - 1].new_inode != inode || move[count - 1].dev != now->st_dev)) count--;
    if (count == 0) return 0;
    const TrMark *last = &move[--count];
    int64_t by = last->new_end - last->end;
    least = least - by > last->end ? least - by : last->end;
    shift += by;
    inode = last->inode;
  }
  bool has_place = mark->dev == now->st_dev && mark->end >= least && mark->end + shift <= now->st_size;
  return has_place ? mark->end + shift : 0;
}

int64_t tr_marks_end(const TrMarks *marks, const char *file, const struct stat *now, const char **sink) {
  size_t count, next = 0;
  const TrMark *mark = entries_of(&marks->marks, file, &count);
  int64_t least = INT64_MAX;
  *sink = NULL;
  for (size_t i = 0; i < marks->sinks.count; i++) {
    int64_t end = next < count && mark[next].number == i ? INT64_MAX : 0; /* 0: it does not know the file */
    for (; next < count && mark[next].number == i; next++) {
      int64_t one = find_end(marks, &mark[next], now);
      if (one < end) end = one;
    }
    if (end >= least) continue;
    least = end;
    *sink = marks->sinks.name[i];
  }
  return least;
}
