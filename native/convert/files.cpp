#include "files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace mlxconvert {

namespace {

// Calls again what a signal interrupted.
template <typename Call>
auto uninterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

void read_at(const File& file, uint64_t offset, void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = uninterrupted([&] { return pread(file.fd, at, size, static_cast<off_t>(offset)); });
    if (got < 0) throw FileError(file, errno);
    if (got == 0) throw FileError(file, "the file became shorter while it was read");
    at += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
}

void write_at(const File& file, uint64_t offset, const void* data, size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t put = uninterrupted([&] { return pwrite(file.fd, at, size, static_cast<off_t>(offset)); });
    if (put <= 0) throw FileError(file, put < 0 ? errno : EIO);  // 0: trying again could go on for ever
    at += put;
    offset += static_cast<uint64_t>(put);
    size -= static_cast<size_t>(put);
  }
}

void will_read(const File& file, uint64_t offset, uint64_t size) {
#if defined(POSIX_FADV_WILLNEED)
  if (size == 0) return;  // which would mean all the rest of the file
  posix_fadvise(file.fd, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
#else
  (void)file, (void)offset, (void)size;
#endif
}

void will_sync(const File& file, uint64_t offset, uint64_t size) {
#if defined(SYNC_FILE_RANGE_WRITE)
  sync_file_range(file.fd, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
#else
  (void)file, (void)offset, (void)size;
#endif
}

void allocate(const File& file, uint64_t size) {
#if defined(__linux__)
  // Not posix_fallocate: glibc imitates it by writing to every block where the file system has no such call. Whatever
  // else this call refuses, writing may still be possible.
  if (size > 0 && uninterrupted([&] { return fallocate(file.fd, 0, 0, static_cast<off_t>(size)); }) != 0 &&
      (errno == ENOSPC || errno == EDQUOT)) {
    throw FileError(file, errno);
  }
#endif
  if (uninterrupted([&] { return ftruncate(file.fd, static_cast<off_t>(size)); }) != 0) throw FileError(file, errno);
}

bool exchange_paths(const std::string& a, const std::string& b) {
#if defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned exchange = 2;  // RENAME_EXCHANGE of linux/fs.h
  return syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), exchange) == 0;
#elif defined(__APPLE__)
  return renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  (void)a, (void)b;
  return false;
#endif
}

}  // namespace mlxconvert
