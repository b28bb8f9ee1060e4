/* A disk that breaks: loaded before the C library, it fails writes and syncs of files.
 *
 * While the file named by BROKEN_DISK exists, each of the calls named in its first word ("write",
 * "sync") fails with the error number in its second word on files whose path has the third word
 * in it. With a number below zero it takes that many seconds, and is then carried out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int breaks(const char *call, int fd)
{
    const char *control = getenv("BROKEN_DISK");
    FILE *file = control ? fopen(control, "r") : NULL;
    char calls[32], part[64], link[64], path[4096];
    int number = 0;
    if (!file)
        return 0;
    int read = fscanf(file, "%31s %d %63s", calls, &number, part);
    fclose(file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (read != 3 || length <= 0 || strcmp(calls, call) != 0)
        return 0;
    path[length] = 0;
    if (!strstr(path, part))
        return 0;
    if (number < 0) {
        sleep((unsigned)-number);
        return 0;
    }
    errno = number;
    return 1;
}

#define NEXT(name, ...)                                      \
    static __typeof__(name) *next;                           \
    if (!next)                                               \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);  \
    return next(__VA_ARGS__)

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (fd > 2 && breaks("write", fd))
        return -1;
    NEXT(write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    if (breaks("write", fd))
        return -1;
    NEXT(pwrite, fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    if (breaks("write", fd))
        return -1;
    NEXT(pwrite64, fd, bytes, count, offset);
}

int fsync(int fd)
{
    if (breaks("sync", fd))
        return -1;
    NEXT(fsync, fd);
}

int fdatasync(int fd)
{
    if (breaks("sync", fd))
        return -1;
    NEXT(fdatasync, fd);
}
