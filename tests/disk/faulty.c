/* A disk that fails when it is told to. Preloaded into the gateway, it stands between SQLite and the files
 * `broker.db` and `broker.db-wal`, and looks before each call into the file that MAISON_DISK names:
 *
 *     WRITE SYNC READ MILLISECONDS
 *
 * the error number of writes, of syncs and of reads (0: they succeed), and how much longer a sync takes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct orders {
    int write, sync, read, milliseconds;
};

static struct orders orders_now(void)
{
    struct orders orders = {0, 0, 0, 0};
    const char *path = getenv("MAISON_DISK");
    char text[64] = "";
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        long size = syscall(SYS_read, file, text, sizeof text - 1);
        syscall(SYS_close, file);
        if (size > 0)
            sscanf(text, "%d %d %d %d", &orders.write, &orders.sync, &orders.read, &orders.milliseconds);
    }
    return orders;
}

static int is_store(int file)
{
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = '\0';
    const char *name = strrchr(path, '/');
    return name && (!strcmp(name, "/broker.db") || !strcmp(name, "/broker.db-wal"));
}

static int fails(int error)
{
    if (error)
        errno = error;
    return error;
}

/* The C library's own. */
#define REAL(call) \
    static __typeof__(call) *real; \
    if (!real) \
        real = (__typeof__(call) *)dlsym(RTLD_NEXT, #call)

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at)
{
    REAL(pwrite64);
    if (is_store(file) && fails(orders_now().write))
        return -1;
    return real(file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at)
{
    return pwrite64(file, bytes, count, at);
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t at)
{
    REAL(pread64);
    if (is_store(file) && fails(orders_now().read))
        return -1;
    return real(file, bytes, count, at);
}

ssize_t pread(int file, void *bytes, size_t count, off_t at)
{
    return pread64(file, bytes, count, at);
}

static int before_sync(int file)
{
    if (!is_store(file))
        return 0;
    struct orders orders = orders_now();
    struct timespec pause = {orders.milliseconds / 1000, orders.milliseconds % 1000 * 1000000L};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        ;
    return fails(orders.sync);
}

int fdatasync(int file)
{
    REAL(fdatasync);
    return before_sync(file) ? -1 : real(file);
}

int fsync(int file)
{
    REAL(fsync);
    return before_sync(file) ? -1 : real(file);
}
