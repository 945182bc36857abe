/* Preloaded (LD_PRELOAD) into a gateway and its children: writes, syncs and cuts of files below one folder fail on
 * command, as they do on a bad disk. What fails is told by a page of memory that all processes share with the campaign:
 * some calls from the n-th that matches, or a share of all. fiu-run can do neither of the two (it knows no file, and no n). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

struct control { /* failing.py writes this very form */
    _Atomic uint64_t calls;
    _Atomic uint64_t failed;
    uint64_t nth;
    uint64_t row;
    uint64_t per_million;
    uint64_t seed;
    uint64_t error;
    char part[64];
};

static struct control *control;
static char below[4096];
static size_t below_length;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAILING_CONTROL"), *folder = getenv("FAILING_BELOW");
    int fd = path && folder ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    snprintf(below, sizeof below, "%s", folder);
    below_length = strlen(below);
    if (page != MAP_FAILED) control = page;
}

/* splitmix64: the same seed strikes the same calls, by their number. */
static uint64_t mixed(uint64_t value) {
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

static int strikes(int fd) {
    char name[64], path[4096];
    if (!control || (!control->nth && !control->per_million)) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, below_length)) return 0;
    int others = control->part[0] == '!'; /* all but the files of this part */
    if (others == (strstr(path + below_length, control->part + others) != NULL)) return 0;
    uint64_t number = atomic_fetch_add(&control->calls, 1) + 1;
    int struck = (control->nth && number - control->nth < control->row) ||
                 mixed(control->seed ^ number) % 1000000 < control->per_million;
    if (struck) {
        atomic_fetch_add(&control->failed, 1);
        errno = (int)control->error;
    }
    return struck;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, given, passed)                                                                              \
    result name given {                                                                                                \
        static __typeof__(&name) real;                                                                                 \
        if (!real) real = REAL(name);                                                                                  \
        return strikes(fd) ? -1 : real passed;                                                                         \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRAP(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
WRAP(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t at, int flags), (fd, parts, count, at, flags))
WRAP(ssize_t, pwritev64v2, (int fd, const struct iovec *parts, int count, off64_t at, int flags), (fd, parts, count, at, flags))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size))
