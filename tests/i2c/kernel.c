/* The kernel's I2C for a process on a machine that has none. Preloaded, it stands between the process and
 * /dev/i2c-N, which are files of the folder that MAISON_I2C names, and asks whoever listens there at the
 * socket `kernel` for each transaction. Numbers are of 16 bits, in the order of this machine:
 *
 *     asked     PROCESS BUS COUNT, and for each message: ADDRESS FLAGS LENGTH, and what is written
 *     answered  ERROR, and of each message what is read
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The C library's own. */
#define REAL(call) \
    static __typeof__(call) *real; \
    if (!real) \
        real = (__typeof__(call) *)dlsym(RTLD_NEXT, #call)

/* The file in place of a device; any other as it is. */
static const char *instead(const char *path, char *other, size_t size)
{
    const char *folder = getenv("MAISON_I2C");
    if (!folder || strncmp(path, "/dev/i2c-", 9))
        return path;
    snprintf(other, size, "%s/%s", folder, path + 5);
    return other;
}

int open64(const char *path, int flags, ...)
{
    REAL(open64);
    char other[4096];
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return real(instead(path, other, sizeof other), flags, mode);
}

static int whole(ssize_t (*move)(int, void *, size_t), int file, void *bytes, size_t left)
{
    for (char *at = bytes; left;) {
        ssize_t moved = move(file, at, left);
        if (moved <= 0)
            return 0;
        at += moved;
        left -= moved;
    }
    return 1;
}

static ssize_t hand_over(int file, void *bytes, size_t count)
{
    return write(file, bytes, count);
}

static int ask(int kernel, int bus, struct i2c_rdwr_ioctl_data *transaction)
{
    uint16_t head[] = {getpid(), bus, transaction->nmsgs}, error;
    if (!whole(hand_over, kernel, head, sizeof head))
        return EIO;
    for (unsigned i = 0; i < transaction->nmsgs; i++) {
        struct i2c_msg *message = transaction->msgs + i;
        uint16_t about[] = {message->addr, message->flags, message->len};
        size_t written = message->flags & I2C_M_RD ? 0 : message->len;
        if (!whole(hand_over, kernel, about, sizeof about) || !whole(hand_over, kernel, message->buf, written))
            return EIO;
    }
    if (!whole(read, kernel, &error, sizeof error))
        return EIO;
    for (unsigned i = 0; i < transaction->nmsgs && !error; i++) {
        struct i2c_msg *message = transaction->msgs + i;
        if (message->flags & I2C_M_RD && !whole(read, kernel, message->buf, message->len))
            return EIO;
    }
    return error;
}

static int transfer(int bus, struct i2c_rdwr_ioctl_data *transaction)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/kernel", getenv("MAISON_I2C"));
    int kernel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = connect(kernel, (struct sockaddr *)&at, sizeof at) ? EIO : ask(kernel, bus, transaction);
    close(kernel);
    errno = error;
    return error ? -1 : (int)transaction->nmsgs;
}

/* The number of the bus; -1: another file. */
static int bus_of(int file)
{
    char link[32], path[4096];
    int bus = -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    const char *folder = getenv("MAISON_I2C");
    if (length <= 0 || !folder)
        return -1;
    path[length] = '\0';
    size_t prefix = strlen(folder);
    if (!strncmp(path, folder, prefix))
        sscanf(path + prefix, "/i2c-%d", &bus);
    return bus;
}

int ioctl(int file, unsigned long request, ...)
{
    REAL(ioctl);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int bus = bus_of(file);
    if (bus < 0)
        return real(file, request, argument);
    return request == I2C_RDWR ? transfer(bus, argument) : 0;
}
