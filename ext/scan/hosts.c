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
  const char *own = strstr(file, "/" TR_OWN_DIRECTORY "/");
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

/* *fd is -1 if the entry is not a host: a file, or a directory without the rest of the path. */
static int open_host(const TrHosts *hosts, const TrDir *base, const char *name, char **directory, int *fd,
                     char **message) {
  *fd = -1;
  *directory = sqlite3_mprintf("%s%s", name, hosts->rest);
  if (*directory == NULL) return SQLITE_NOMEM;
  *fd = (int)TEMP_FAILURE_RETRY(openat(base->fd, *directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (*fd < 0 && errno != ENOENT && errno != ENOTDIR) {
    return tr_error(message, SQLITE_CANTOPEN, "%s directory %s/%s: %s", base->store->word, base->path, *directory,
                    strerror(errno));
  }
  if (*fd < 0 || tr_utf8_is_valid(name, strlen(name))) return SQLITE_OK;
  return tr_error(message, SQLITE_ERROR, "%s directory %s/%s: its name is not valid UTF-8; rename it",
                  base->store->word, base->path, *directory);
}

static int visit_hosts(HostSearch *search, const TrDir *base, TrHostVisit visit, void *context, size_t *found,
                       char **message) {
  int code = SQLITE_OK;
  for (size_t i = 0; i < search->names.count && code == SQLITE_OK; i++) {
    char *directory = NULL;
    int fd;
    code = open_host(search->hosts, base, search->names.name[i], &directory, &fd, message);
    if (code == SQLITE_OK && fd >= 0) {
      ++*found;
      TrDir dir = {.fd = fd, .store = base->store, .path = directory};
      code = visit(context, &dir, message);
    }
    if (fd >= 0) close(fd);
    sqlite3_free(directory);
  }
  return code;
}

int tr_hosts_visit(const TrHosts *hosts, TrDir *base, TrPoll *poll, const TrFilter *filter, TrHostVisit visit,
                   void *context, char **message) {
  HostSearch search = {.hosts = hosts, .filter = filter};
  size_t found = 0;
  int code = tr_dir_list(base, poll, visit_host_entry, &search, message);
  tr_name_list_sort(&search.names);
  if (code == SQLITE_OK) code = visit_hosts(&search, base, visit, context, &found, message);
  tr_name_list_free(&search.names);
  if (code != SQLITE_OK || found > 0 || filter->host_count > 0) return code;
  return tr_error(message, SQLITE_CANTOPEN, "%s directory %s/%s*%s%s: no directory matches", base->store->word,
                  base->path, hosts->before, hosts->after, hosts->rest);
}
