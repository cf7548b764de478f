/* Stands before the system's fsync and fdatasync, for the tests of sync.rs. A sync of the store's write-ahead log waits while
   the directory GATE has a file "closed", after it made a file "reached" there; and fails while there is a file "failing".
   Loaded with LD_PRELOAD, since SQLite calls both through the C library. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_log(int descriptor) {
    static const char ending[] = "/sessiond.db-wal";
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path);
    ssize_t start = length - (ssize_t)(sizeof ending - 1);
    return start >= 0 && memcmp(path + start, ending, sizeof ending - 1) == 0;
}

static int there_is(const char *gate, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", gate, name);
    return access(path, F_OK) == 0;
}

static void reach(const char *gate) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/reached", gate);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
}

static int pass(const char *name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *gate = getenv("GATE");
    if (gate != NULL && is_log(descriptor)) {
        if (there_is(gate, "closed")) reach(gate);
        while (there_is(gate, "closed")) usleep(1000);
        if (there_is(gate, "failing")) {
            errno = EIO;
            return -1;
        }
    }
    return real(descriptor);
}

int fsync(int descriptor) { return pass("fsync", descriptor); }

int fdatasync(int descriptor) { return pass("fdatasync", descriptor); }
