/*
** hosts.c - a path with one star -> the directories of several hosts, and the files in them.
**
** The path is a table's `dir`, such as /srv/runs/STAR/results with a star for STAR. The star stands for any part of one
** name in the path; what it stands for is the host. The path is cut into
**
**   base     /srv/runs    the directory whose entries are compared with the name that has the star
**   before, after         what that name has before and behind the star: for web*-eu they are `web` and `-eu`
**   rest     /results     what follows
**
** A file is known by its path below the base, `a/results/my-job.jsonl`, where a file of a single directory is known by
** its name. So ordinals and rowids tell the files of all hosts apart, and no host changes those of another.
**
** As in the shell, the star does not stand for a name that begins with a dot, nor for one where the rest of the path
** does not exist. A directory that cannot be opened is an error that names it: its records would be missing.
**
** The path can also be that of a file of each host, such as /srv/runs/STAR/jobs.json. Then it is only found here, and
** whoever visits it opens it.
*/
#include "scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct HostSearch {
  const TrHosts *hosts;   /* borrowed */
  const TrFilter *filter; /* borrowed */
  TrNameList names;       /* owned: entries of the base */
} HostSearch;

static int hosts_error(const char *path, const char *cause, char **message) {
  return tr_error(message, SQLITE_ERROR, "directory %s: %s", path, cause);
}

static const char *kind_of(const TrHosts *hosts) {
  return hosts->of_files ? "file" : "directory";
}

static char *copy_part(const char *from, size_t length) {
  char *copy = sqlite3_malloc64(length + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, from, length);
  copy[length] = '\0';
  return copy;
}

int tr_hosts_init(TrHosts *hosts, const char *path, char **message) {
  *hosts = (TrHosts){0};
  const char *star = strchr(path, '*');
  if (star == NULL) return SQLITE_OK;
  if (strchr(star + 1, '*')) return hosts_error(path, "only one * can stand for the hosts", message);
  const char *name = star, *end = star + 1, *last = path + strlen(path);
  while (name > path && name[-1] != '/') name--;
  while (*end && *end != '/') end++;
  while (last > end && last[-1] == '/') last--;
  const char *base_end = name > path + 1 ? name - 1 : name;
  hosts->base = name == path ? copy_part(".", 1) : copy_part(path, (size_t)(base_end - path));
  hosts->before = copy_part(name, (size_t)(star - name));
  hosts->after = copy_part(star + 1, (size_t)(end - star - 1));
  hosts->rest = copy_part(end, (size_t)(last - end));
  return hosts->base && hosts->before && hosts->after && hosts->rest ? SQLITE_OK : SQLITE_NOMEM;
}

void tr_hosts_free(TrHosts *hosts) {
  sqlite3_free(hosts->base);
  sqlite3_free(hosts->before);
  sqlite3_free(hosts->after);
  sqlite3_free(hosts->rest);
  *hosts = (TrHosts){0};
}

/* What the star stands for in the name of an entry, of so many bytes. False: the name does not match. */
static bool match_host(const TrHosts *hosts, const char *name, size_t length, TrBytes *host) {
  size_t before = strlen(hosts->before), after = strlen(hosts->after);
  if (length <= before + after || memcmp(name, hosts->before, before) != 0) return false;
  if (memcmp(name + length - after, hosts->after, after) != 0) return false;
  *host = (TrBytes){name + before, length - before - after};
  return before > 0 || name[0] != '.';
}

/* The slash behind the directory of results; archived segments are further down. */
static const char *end_of_results(const char *file) {
  const char *own = strstr(file, "/" TR_OWN_FOLDER "/");
  return own ? own : strrchr(file, '/');
}

bool tr_hosts_own(const TrHosts *hosts, const char *file, TrBytes *host) {
  const char *slash = strchr(file, '/'), *last = end_of_results(file);
  *host = (TrBytes){0};
  if (hosts->base == NULL || slash == NULL) return hosts->base == NULL && slash == NULL;
  size_t rest = strlen(hosts->rest);
  return (size_t)(last - slash) == rest && memcmp(slash, hosts->rest, rest) == 0 &&
         match_host(hosts, file, (size_t)(slash - file), host);
}

static int visit_host_entry(void *context, const char *name) {
  HostSearch *search = context;
  TrBytes host;
  size_t length = strlen(name);
  if (!match_host(search->hosts, name, length, &host)) return SQLITE_OK;
  if (!tr_filter_wants_host(search->filter, host.text, host.length)) return SQLITE_OK;
  return tr_name_list_add(&search->names, name, length);
}

/* The errno of what is sought, or 0. *fd stays -1 for a file. */
static int reach_host(const TrHosts *hosts, const TrDir *base, const char *path, int *fd) {
  struct stat unused;
  if (hosts->of_files) return fstatat(base->fd, path, &unused, 0) == 0 ? 0 : errno;
  *fd = (int)TEMP_FAILURE_RETRY(openat(base->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return *fd >= 0 ? 0 : errno;
}

/* *is_host is false if the entry is none: a file, or a directory without the rest of the path. */
static int open_host(const TrHosts *hosts, const TrDir *base, const char *name, TrDir *host, bool *is_host,
                     char **message) {
  const char *word = base->store->word, *path = host->path;
  int reason = reach_host(hosts, base, path, &host->fd);
  *is_host = reason == 0;
  if (reason && reason != ENOENT && reason != ENOTDIR) {
    return tr_error(message, SQLITE_CANTOPEN, "%s %s %s/%s: %s", word, kind_of(hosts), base->path, path,
                    strerror(reason));
  }
  if (reason || tr_utf8_is_valid(name, strlen(name))) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "%s %s %s/%s: its name is not valid UTF-8; rename it", word, kind_of(hosts),
                  base->path, path);
}

static int visit_host(const HostSearch *search, const TrDir *base, const char *name, TrHostVisit visit, void *context,
                      size_t *found, char **message) {
  TrBytes part = {0};
  bool is_host;
  char *path = sqlite3_mprintf("%s%s", name, search->hosts->rest);
  if (path == NULL) return SQLITE_NOMEM;
  TrDir dir = {.fd = -1, .store = base->store, .path = path};
  int code = open_host(search->hosts, base, name, &dir, &is_host, message);
  if (code == SQLITE_OK && is_host) {
    ++*found;
    match_host(search->hosts, name, strlen(name), &part);
    code = visit(context, &dir, part, message);
  }
  if (dir.fd >= 0) close(dir.fd);
  sqlite3_free(path);
  return code;
}

int tr_hosts_visit(const TrHosts *hosts, TrDir *base, TrPoll *poll, const TrFilter *filter, TrHostVisit visit,
                   void *context, char **message) {
  HostSearch search = {.hosts = hosts, .filter = filter};
  size_t found = 0;
  int code = tr_dir_list(base, poll, visit_host_entry, &search, message);
  tr_name_list_sort(&search.names);
  for (size_t i = 0; i < search.names.count && code == SQLITE_OK; i++)
    code = visit_host(&search, base, search.names.name[i], visit, context, &found, message);
  tr_name_list_free(&search.names);
  if (code != SQLITE_OK || found > 0 || filter->host_count > 0) return code;
  return tr_error(message, SQLITE_CANTOPEN, "%s %s %s/%s*%s%s: no %s matches", base->store->word, kind_of(hosts),
                  base->path, hosts->before, hosts->after, hosts->rest, kind_of(hosts));
}
